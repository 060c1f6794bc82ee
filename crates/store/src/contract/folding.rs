//! Entries become rows, in any order, any number of times.

use std::collections::BTreeSet;
use std::time::Duration;

use natter_model::event::{Body, Entry};
use natter_model::id::{ConversationId, EventId, MAX_ID, Position};
use natter_model::timestamp::Timestamp;
use proptest::strategy::{Just, Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::chatter::{account, ana, at, bob, conversation, deleted, edited, entry, entry_in, message, posted, read};
use super::logs::{deliveries, in_round, log};
use super::reference::Reference;
use crate::error::StoreError;
use crate::messages::{Message, MessageStore};

/// Longest time for a test whose failure would be to wait for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// The store applies the entries, and finds that all fit.
pub(super) async fn applies(store: &impl MessageStore, entries: &[Entry]) {
    assert_eq!(store.apply(entries).await.expect("the store takes the entries"), []);
}

/// The message, which is there.
pub(super) async fn stored(store: &impl MessageStore, id: u64) -> Message {
    store.message(message(id)).await.expect("the store answers").unwrap_or_else(|| panic!("message {id} is there"))
}

/// The content of the message, which is there.
pub(super) async fn content(store: &impl MessageStore, id: u64) -> String {
    stored(store, id).await.content.expect("it has a content")
}

/// Every part of a post is kept; its content without the space around it.
pub async fn a_post_is_stored_stripped(store: &impl MessageStore) {
    let body = Body::Posted {
        message: None,
        content: "\u{1c} Grüße, \u{1f600}\n".to_owned(),
        attachment: Some("chat/photo.png".to_owned()),
        client_id: Some("x".repeat(64)),
    };
    applies(store, &[entry(10, ana(), body)]).await;
    let expected = Message {
        id: message(10),
        conversation: conversation(1),
        sender: ana().id,
        sender_name: "ana".to_owned(),
        content: Some("Grüße, \u{1f600}".to_owned()),
        attachment: Some("chat/photo.png".to_owned()),
        timestamp: at(10),
        is_read: false,
        read_at: None,
        is_deleted: false,
        edited_at: None,
    };
    assert_eq!(stored(store, 10).await, expected);
    assert_eq!(store.message(message(11)).await.expect("the store answers"), None);
}

/// From no entry to thousands.
pub async fn a_batch_may_be_empty_or_large(store: &impl MessageStore) {
    applies(store, &[]).await;
    let batch: Vec<_> = (1..=2500).map(|position| entry(position, ana(), posted("hello"))).collect();
    applies(store, &batch).await;
    let edits: Vec<_> = (1..=2500).map(|id| entry(3000 + id, ana(), edited(id, "bye"))).collect();
    applies(store, &edits).await;
    assert_eq!(content(store, 1).await, "bye");
    assert_eq!(content(store, 2500).await, "bye");
}

/// Whichever came last.
pub async fn the_edit_with_the_highest_position_wins(store: &impl MessageStore) {
    applies(store, &[entry(10, ana(), posted("first"))]).await;
    applies(store, &[entry(12, ana(), edited(10, "third"))]).await;
    applies(store, &[entry(11, ana(), edited(10, "second"))]).await;
    assert_eq!(content(store, 10).await, "third");
    assert_eq!(stored(store, 10).await.edited_at, Some(at(12)));
}

/// They wait for it.
pub async fn events_may_come_before_their_post(store: &impl MessageStore) {
    applies(store, &[entry(12, ana(), edited(10, "second"))]).await;
    applies(store, &[entry(13, bob(), read(10)), entry(11, bob(), edited(10, "not mine"))]).await;
    assert_eq!(store.message(message(10)).await.expect("the store answers"), None);
    applies(store, &[entry(10, ana(), posted("first"))]).await;
    let message = stored(store, 10).await;
    assert_eq!(message.content.as_deref(), Some("second"));
    assert_eq!((message.edited_at, message.read_at), (Some(at(12)), Some(at(13))));
}

/// Others' edits and deletes are of no effect.
pub async fn only_the_sender_edits_and_deletes(store: &impl MessageStore) {
    let log = [entry(10, ana(), posted("mine")), entry(11, bob(), edited(10, "yours")), entry(12, bob(), deleted(10))];
    applies(store, &log).await;
    let message = stored(store, 10).await;
    assert_eq!((message.content.as_deref(), message.is_deleted, message.edited_at), (Some("mine"), false, None));
}

/// Also the sender's own.
pub async fn events_of_another_conversation_change_nothing(store: &impl MessageStore) {
    let log = [
        entry_in(1, 10, ana(), posted("here")),
        entry_in(2, 11, ana(), edited(10, "there")),
        entry_in(2, 12, bob(), read(10)),
        entry_in(2, 13, ana(), deleted(10)),
        entry_in(2, 14, ana(), Body::ConversationDeleted),
    ];
    applies(store, &log).await;
    let message = stored(store, 10).await;
    assert_eq!(message.content.as_deref(), Some("here"));
    assert!(!message.is_deleted && !message.is_read && message.edited_at.is_none());
}

/// Content and attachment do not come back; that it was read is still noted.
pub async fn a_delete_wins_for_ever(store: &impl MessageStore) {
    let body = Body::Posted {
        message: None,
        content: "oops".to_owned(),
        attachment: Some("a.png".to_owned()),
        client_id: None,
    };
    applies(store, &[entry(10, ana(), body)]).await;
    applies(store, &[entry(12, ana(), deleted(10))]).await;
    applies(store, &[entry(11, ana(), edited(10, "late")), entry(13, bob(), read(10))]).await;
    let message = stored(store, 10).await;
    assert!(message.is_deleted && message.is_read);
    assert_eq!((message.content.as_deref(), message.attachment.as_deref()), (Some(""), None));
    assert_eq!(message.edited_at, Some(at(11)), "it was edited before it was deleted");
}

/// Whoever read it.
pub async fn the_read_with_the_highest_position_wins(store: &impl MessageStore) {
    applies(store, &[entry(10, ana(), posted("hello")), entry(14, bob(), read(10))]).await;
    applies(store, &[entry(12, ana(), read(10))]).await;
    let message = stored(store, 10).await;
    assert!(message.is_read);
    assert_eq!(message.read_at, Some(at(14)));
}

/// After a log lost its tail, say.
pub async fn a_reused_position_is_a_misfit_and_its_neighbours_are_applied(store: &impl MessageStore) {
    applies(store, &[entry(10, ana(), posted("first"))]).await;
    let mut reused = entry(10, ana(), posted("another"));
    reused.event.id = EventId::fresh();
    let misfits = store.apply(&[entry(9, ana(), posted("before")), reused, entry(11, ana(), posted("after"))]).await;
    let misfits = misfits.expect("the store takes the batch");
    assert_eq!(misfits.iter().map(|misfit| misfit.position).collect::<Vec<_>>(), [Position::new(10)]);
    assert_eq!(content(store, 9).await, "before");
    assert_eq!(content(store, 10).await, "first");
    assert_eq!(content(store, 11).await, "after");
}

/// Each is named, none stops the others.
pub async fn what_cannot_be_stored_is_a_misfit_and_its_neighbours_are_applied(store: &impl MessageStore) {
    let mut prehistoric = entry(13, ana(), posted("hello"));
    prehistoric.event.at = Timestamp::from_micros(i64::MIN);
    let named =
        Body::Posted { message: None, content: "hello".to_owned(), attachment: None, client_id: Some("x".repeat(65)) };
    let batch = [
        entry(10, ana(), posted("before")),
        entry(11, ana(), posted("a\0b")),
        entry(12, ana(), edited(10, "\0")),
        prehistoric,
        entry(14, ana(), named),
        entry(15, bob(), read(16)),
        entry(16, ana(), posted("after")),
        Entry { position: Position::new(MAX_ID + 1), ..entry(17, ana(), posted("beyond")) },
    ];
    let misfits = store.apply(&batch).await.expect("the store takes the batch");
    let positions: Vec<_> = misfits.iter().map(|misfit| misfit.position.get()).collect();
    assert_eq!(positions, [11, 12, 13, 14, 15, MAX_ID + 1]);
    assert_eq!(content(store, 10).await, "before");
    assert_eq!(content(store, 16).await, "after");
    assert!(!stored(store, 16).await.is_read);
}

/// The rows are what the log in order adds up to.
pub async fn any_order_any_repetition_any_split_give_the_same_rows(store: &impl MessageStore) {
    let mut runner = TestRunner::deterministic();
    for round in 0..4 {
        let log = example(&mut runner, log(80), round);
        for batch in sample(&mut runner, deliveries(log.clone())) {
            applies(store, &batch).await;
        }
        adds_up(store, &log).await;
    }
}

/// Replicas that are given the same entries: neither waits for the other for ever.
pub async fn two_at_once_give_the_same_rows(store: &impl MessageStore) {
    let mut runner = TestRunner::deterministic();
    for round in 0..6 {
        let log = example(&mut runner, log(120), round);
        let one = sample(&mut runner, deliveries(log.clone()));
        let other = sample(&mut runner, deliveries(log.clone()));
        together(store, &one, &other).await;
        adds_up(store, &log).await;
    }
}

/// Replicas that are given an entry only once, so that what one of them overwrites does not come again.
pub async fn two_who_share_the_work_give_the_same_rows(store: &impl MessageStore) {
    let mut runner = TestRunner::deterministic();
    for round in 0..40 {
        let log = example(&mut runner, log(60), round);
        let shuffled = sample(&mut runner, Just(log.clone()).prop_shuffle());
        let batches: Vec<_> = shuffled.chunks(10).map(<[Entry]>::to_vec).collect();
        together(store, &batches[..3], &batches[3..]).await;
        adds_up(store, &log).await;
    }
}

pub(super) async fn together(store: &impl MessageStore, one: &[Vec<Entry>], other: &[Vec<Entry>]) {
    let both = async { tokio::join!(applies_stubbornly(store, one), applies_stubbornly(store, other)) };
    tokio::time::timeout(PATIENCE, both).await.expect("neither waits for the other for ever");
}

/// As persistence does it: what was unavailable is tried again.
async fn applies_stubbornly(store: &impl MessageStore, batches: &[Vec<Entry>]) {
    for batch in batches {
        loop {
            match store.apply(batch).await {
                Err(StoreError::Unavailable(_)) => (),
                outcome => break assert_eq!(outcome.expect("the store takes the batch"), []),
            }
        }
    }
}

async fn adds_up(store: &impl MessageStore, log: &[Entry]) {
    adds_up_to(store, log, &Reference::of(log)).await;
}

/// The messages that the log posts, and those that the reference has, are as the reference says.
pub(super) async fn adds_up_to(store: &impl MessageStore, log: &[Entry], reference: &Reference) {
    let posted = log.iter().filter_map(Entry::message_id);
    let ids: BTreeSet<_> = posted.chain(reference.messages.keys().copied()).collect();
    for id in ids {
        let stored = store.message(id).await.expect("the store answers");
        assert_eq!(stored.as_ref(), reference.messages.get(&id), "message {id} of {log:#?}");
    }
    let mut conversations: Vec<ConversationId> = log.iter().map(|entry| entry.event.conversation).collect();
    conversations.sort();
    conversations.dedup();
    for reader in (2..5).map(account) {
        for summary in store.summaries(reader, &conversations, 0).await.expect("the store answers") {
            let expected = reference.unread_count(reader, summary.conversation);
            assert_eq!(summary.unread_count, expected, "unread by {reader} in {} of {log:#?}", summary.conversation);
        }
    }
}

/// A log of its own for each round, so that one store takes them all: other conversations and later positions.
pub(super) fn example(runner: &mut TestRunner, log: impl Strategy<Value = Vec<Entry>>, round: u64) -> Vec<Entry> {
    in_round(sample(runner, log), round)
}

pub(super) fn sample<T: std::fmt::Debug>(runner: &mut TestRunner, strategy: impl Strategy<Value = T>) -> T {
    strategy.new_tree(runner).expect("the strategy rejects nothing").current()
}
