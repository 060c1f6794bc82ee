//! What every log must do, as tests. Each adapter runs them all, see [`log_contract`](crate::log_contract).

pub mod appending;
pub mod backlog;
pub mod fixtures;
pub mod following;
pub mod reading;
pub mod whole;

use async_trait::async_trait;
use natter_model::id::{ConversationId, Position};

use crate::mend::Mend;
use crate::port::{Backlog, Log};

/// A log under test: empty, and nobody else's.
#[async_trait]
pub trait Subject: Send + Sync {
    /// The log.
    fn log(&self) -> &dyn Log;

    /// The same log's backlog.
    fn backlog(&self) -> &dyn Backlog;

    /// The same log, to be mended.
    fn mend(&self) -> &dyn Mend;

    /// Puts bytes that need not be an event into the conversation, and answers where they stand.
    async fn append_raw(&self, conversation: ConversationId, bytes: &[u8]) -> Position;
}

/// The tests of the contract, each a `#[tokio::test]`. Takes the path of an `async fn(first: Position) -> impl Subject`
/// that makes a new log which begins at `first`.
///
/// A record that a consumer neither acknowledges nor hands back must come again within ten seconds after the consumer
/// was dropped.
#[macro_export]
macro_rules! log_contract {
    ($fresh:path) => {
        $crate::log_contract! { $fresh, $crate::contract::appending::{
            records_stand_in_order,
            an_event_is_taken_once,
            what_was_relayed_stands_as_it_was,
            one_of_many_at_once_is_taken,
            many_at_once_all_stand,
            an_event_that_is_too_large_is_refused,
        }}
        $crate::log_contract! { $fresh, $crate::contract::reading::{
            pages_follow_each_other,
            the_first_entry_names_the_record_before_after,
            nothing_is_read_where_nothing_was_said,
            the_head_is_the_conversations_own,
            an_entry_is_found_by_its_position,
            unreadable_records_are_passed_over,
        }}
        $crate::log_contract! { $fresh, $crate::contract::following::{
            a_follower_hears_what_is_appended,
            every_follower_hears_everything,
            a_duplicate_is_not_heard,
            signals_are_heard_and_not_stored,
            who_falls_behind_is_told,
            who_follows_all_hears_every_conversation,
            a_signal_goes_to_one_of_those_who_share,
        }}
        $crate::log_contract! { $fresh, $crate::contract::backlog::{
            delivers_in_order_and_no_more_than_asked_for,
            waits_for_records,
            the_floor_is_what_is_acknowledged_without_a_gap,
            what_is_acknowledged_does_not_come_again,
            what_is_handed_back_comes_again,
            what_a_dropped_consumer_held_comes_again,
            waiting_may_be_given_up,
            consumers_share_the_records,
            delivers_what_is_no_event_as_unreadable,
        }}
        $crate::log_contract! { $fresh, $crate::contract::whole::{
            a_scan_tells_everything,
            a_filler_says_nothing,
            a_log_that_went_backwards_says_so,
            what_is_lost_is_put_back_exactly_there,
            what_came_between_stays,
        }}
        #[tokio::test(flavor = "multi_thread")]
        async fn the_ends_are_known() {
            for first in [1, 1 << 44].map(::natter_model::id::Position::new) {
                $crate::contract::whole::the_ends_are_known(&$fresh(first).await, first).await;
            }
        }
        #[tokio::test(flavor = "multi_thread")]
        async fn a_new_log_begins_where_it_is_told() {
            let first = ::natter_model::id::Position::new(1 << 44);
            $crate::contract::reading::a_new_log_begins_where_it_is_told(&$fresh(first).await, first).await;
        }
    };
    ($fresh:path, $crate_:tt::$contract:ident::$suite:ident::{$($name:ident),* $(,)?}) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let subject = $fresh(::natter_model::id::Position::START).await;
            $crate::contract::$suite::$name(&subject).await;
        })*
    };
}
