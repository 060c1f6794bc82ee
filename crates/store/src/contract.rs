//! The suite that every store adapter passes.
//!
//! A test module of the adapter calls [`message_store_contract!`](crate::message_store_contract) and
//! [`account_store_contract!`](crate::account_store_contract) with the path of an `async fn` that makes an empty store
//! and something that keeps it alive. Each promise becomes a test of its own.

pub mod bygones;
pub mod catching_up;
pub mod chatter;
pub mod conversations;
pub mod erasing;
pub mod evidence;
pub mod folding;
pub mod importing;
pub mod logins;
pub mod logs;
pub mod reading;
pub mod reference;
pub mod relaying;
pub mod resending;
pub mod rights;
pub mod taking_over;
pub mod views;

/// Tests that a [`MessageStore`](crate::messages::MessageStore) keeps its promises.
#[macro_export]
macro_rules! message_store_contract {
    ($fresh:path) => {
        $crate::contract_tests!($fresh, folding: [
            a_post_is_stored_stripped,
            a_batch_may_be_empty_or_large,
            the_edit_with_the_highest_position_wins,
            events_may_come_before_their_post,
            only_the_sender_edits_and_deletes,
            events_of_another_conversation_change_nothing,
            a_delete_wins_for_ever,
            the_read_with_the_highest_position_wins,
            a_reused_position_is_a_misfit_and_its_neighbours_are_applied,
            what_cannot_be_stored_is_a_misfit_and_its_neighbours_are_applied,
            any_order_any_repetition_any_split_give_the_same_rows,
            two_at_once_give_the_same_rows,
            two_who_share_the_work_give_the_same_rows,
        ]);
        $crate::contract_tests!($fresh, erasing: [
            an_erasure_removes_what_stands_before_it,
            an_erased_message_does_not_come_back,
            what_waits_for_an_erased_message_is_forgotten,
            the_highest_position_is_known,
            quarantine_keeps_a_record_once,
        ]);
        $crate::contract_tests!($fresh, reading: [
            pages_are_ordered_by_time_then_id,
            pages_leave_deleted_messages_out_or_not,
            pages_end,
            pages_may_span_conversations,
            messages_that_are_only_spoken_of_are_not_there,
            summaries_hold_the_newest_messages_of_each_conversation,
            unread_are_the_messages_of_others_behind_the_mark,
            a_mark_only_moves_forward,
        ]);
        $crate::contract_tests!($fresh, evidence: [
            what_is_stored_is_found_by_position,
            a_dry_run_tells_what_is_missing,
        ]);
        $crate::contract_tests!($fresh, catching_up: [
            changes_are_told_as_they_stand_now,
            what_was_superseded_is_left_out,
            changes_end_where_they_are_asked_to,
            an_end_is_told_before_what_came_after_it,
            imported_messages_are_told_as_posted,
            whoever_catches_up_sees_what_the_log_adds_up_to,
        ]);
        $crate::contract_tests!($fresh, relaying: [
            a_given_id_names_the_message_and_the_position_its_place,
            a_given_id_that_is_not_below_its_position_is_a_misfit,
            a_given_id_is_given_once,
            a_post_that_stands_in_the_log_twice_is_one_message,
            unread_are_those_that_were_posted_behind_what_was_read,
            an_erasure_goes_by_positions,
            relayed_messages_are_told_where_they_were_posted,
        ]);
        $crate::contract_tests!($fresh, resending: [
            of_two_posts_with_one_client_id_the_lower_is_the_message,
            others_may_use_the_same_client_id,
            a_resend_is_shown_nowhere,
            what_was_sent_again_takes_the_place_of_what_was_erased,
            two_at_once_agree_on_the_message,
            a_message_is_found_by_its_client_id,
        ]);
        $crate::contract_tests!($fresh, importing: [
            imported_messages_are_kept_as_they_are,
            importing_again_brings_what_the_log_has_not_decided,
            deleted_is_deleted_whoever_said_so,
            what_does_not_fit_is_named_and_left_out,
            a_relayed_post_meets_an_imported_message,
            imported_messages_can_be_edited_read_and_erased,
            imported_messages_that_were_read_count_as_read,
            imports_and_entries_in_any_order_give_the_same_rows,
        ]);
    };
}

/// Tests that an [`AccountStore`](crate::accounts::AccountStore) keeps its promises.
#[macro_export]
macro_rules! account_store_contract {
    ($fresh:path) => {
        $crate::contract_tests!($fresh, logins: [
            an_account_is_found_by_id_and_name,
            a_username_is_given_once,
            names_that_cannot_be_kept_are_refused,
            emails_are_compared_without_regard_to_case,
            a_password_hash_is_replaced_only_if_it_is_still_the_old_one,
            ids_continue_behind_imported_accounts,
            a_refresh_token_is_revoked_once,
        ]);
        $crate::contract_tests!($fresh, conversations: [
            a_conversation_is_started_once,
            two_who_start_at_once_share_one_conversation,
            a_conversation_needs_two_who_exist,
            the_lowest_conversation_that_holds_both_is_found,
            a_deleted_conversation_is_gone_and_its_id_too,
            ids_continue_behind_imported_conversations,
            conversations_are_listed_by_id,
            all_conversations_are_told_page_by_page,
            conversations_are_searched_by_the_others_names,
        ]);
        $crate::contract_tests!($fresh, taking_over: [
            an_account_that_is_brought_again_becomes_as_it_is_there,
            a_username_that_somebody_else_has_is_refused,
            reserved_ids_are_passed_over,
            ids_that_were_given_out_cannot_be_reserved,
            a_conversation_that_is_brought_again_gets_who_is_missing,
            a_conversation_with_a_stranger_is_refused,
            a_revoked_refresh_token_stays_revoked,
            all_accounts_are_told_page_by_page,
        ]);
        $crate::contract_tests!($fresh, rights: [
            a_token_is_revoked_once,
            an_access_token_is_revoked_with_its_refresh_token,
            all_tokens_up_to_a_second_are_revoked,
            who_bears_a_token_is_told_with_whether_it_is_revoked,
            revoking_all_again_is_one_change_with_the_later_second,
            a_participant_is_removed_once,
            changes_are_told_in_order_behind_a_change,
            writers_at_once_make_changes_that_appear_in_order,
            a_removal_is_unannounced_until_it_is_marked,
            what_has_expired_is_forgotten,
        ]);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! contract_tests {
    ($fresh:path, $part:ident: [$($promise:ident),* $(,)?]) => {
        mod $part {
            $(
                #[tokio::test]
                async fn $promise() {
                    let (store, _keep_alive) = $fresh().await;
                    $crate::contract::$part::$promise(&store).await;
                }
            )*
        }
    };
}
