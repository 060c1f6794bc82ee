//! Conversations end, and records go astray.

use natter_model::event::Body;
use natter_model::id::Position;

use super::chatter::{ana, bob, conversation, edited, entry, entry_in, message, posted, read};
use super::folding::{applies, content};
use crate::messages::MessageStore;

async fn is_gone(store: &impl MessageStore, id: u64) {
    assert_eq!(store.message(message(id)).await.expect("the store answers"), None);
}

/// Of its conversation, with the read marks; nothing behind it.
pub async fn an_erasure_removes_what_stands_before_it(store: &impl MessageStore) {
    let log = [
        entry_in(1, 10, ana(), posted("gone")),
        entry_in(2, 11, ana(), posted("elsewhere")),
        entry_in(1, 12, bob(), read(10)),
        entry_in(1, 15, ana(), posted("after")),
    ];
    applies(store, &log).await;
    applies(store, &[entry_in(1, 14, ana(), Body::ConversationDeleted)]).await;
    is_gone(store, 10).await;
    assert_eq!(content(store, 11).await, "elsewhere");
    assert_eq!(content(store, 15).await, "after");
    let summaries = store.summaries(bob().id, &[conversation(1)], 9).await.expect("the store answers");
    assert_eq!((summaries[0].latest.len(), summaries[0].unread_count), (1, 1));
}

/// Not in the same batch, not in a later one, not by an older erasure that comes late.
pub async fn an_erased_message_does_not_come_back(store: &impl MessageStore) {
    applies(store, &[entry(20, ana(), Body::ConversationDeleted), entry(18, ana(), posted("same batch"))]).await;
    applies(store, &[entry(5, ana(), Body::ConversationDeleted)]).await;
    applies(store, &[entry(10, ana(), posted("late")), entry(21, ana(), posted("new"))]).await;
    is_gone(store, 18).await;
    is_gone(store, 10).await;
    assert_eq!(content(store, 21).await, "new");
}

/// So that what came too early and what comes too late end the same way.
pub async fn what_waits_for_an_erased_message_is_forgotten(store: &impl MessageStore) {
    applies(store, &[entry(12, ana(), edited(10, "early")), entry(13, bob(), read(10))]).await;
    applies(store, &[entry(20, ana(), Body::ConversationDeleted)]).await;
    applies(store, &[entry(14, ana(), edited(10, "late")), entry(10, ana(), posted("late"))]).await;
    is_gone(store, 10).await;
    let summaries = store.summaries(bob().id, &[conversation(1)], 9).await.expect("the store answers");
    assert_eq!((summaries[0].latest.len(), summaries[0].unread_count), (0, 0));
}

/// From whichever table bears witness of it.
pub async fn the_highest_position_is_known(store: &impl MessageStore) {
    let highest = async || store.highest().await.expect("the store answers").get();
    assert_eq!(highest().await, 0);
    applies(store, &[entry(10, ana(), posted("hello"))]).await;
    assert_eq!(highest().await, 10);
    applies(store, &[entry(12, ana(), edited(10, "hi"))]).await;
    assert_eq!(highest().await, 12);
    applies(store, &[entry_in(2, 14, ana(), Body::ConversationDeleted)]).await;
    assert_eq!(highest().await, 14);
    store.quarantine(Position::new(16), b"?", "nonsense").await.expect("the store takes the record");
    assert_eq!(highest().await, 16);
}

/// Also with a reason that no text column takes.
pub async fn quarantine_keeps_a_record_once(store: &impl MessageStore) {
    for reason in ["no event", "no event", "another", "with \0", &"long ".repeat(10_000)] {
        store.quarantine(Position::new(7), &[0, 255], reason).await.expect("the store takes the record");
    }
    store.ready().await.expect("the store is ready");
}
