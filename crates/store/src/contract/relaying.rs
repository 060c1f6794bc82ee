//! Messages that came into the log from another system, which gave them their ids.

use natter_model::event::Body;
use natter_model::id::Position;

use super::chatter::{ana, at, bob, conversation, deleted, edited, entry, entry_in, message, posted, read, relayed};
use super::folding::{applies, content, stored};
use crate::evidence::Evidence;
use crate::messages::MessageStore;

/// Everybody calls the message by it, whether that comes before or after its post; its place is where it was posted.
pub async fn a_given_id_names_the_message_and_the_position_its_place(store: &impl Evidence) {
    applies(store, &[entry(99, ana(), posted("ours")), entry(103, ana(), edited(5, "edited"))]).await;
    assert_eq!(store.highest_given().await.expect("the store answers"), None);
    applies(store, &[entry(101, ana(), relayed(5, " said there\n")), entry(102, ana(), relayed(6, " said there\n"))])
        .await;
    applies(store, &[entry(104, bob(), read(6)), entry(105, ana(), deleted(5))]).await;
    let first = stored(store, 5).await;
    assert_eq!((first.is_deleted, first.edited_at, first.timestamp), (true, Some(at(103)), at(101)));
    let second = stored(store, 6).await;
    assert_eq!((second.content.as_deref(), second.read_at), (Some("said there"), Some(at(104))));
    assert_eq!(store.message(message(101)).await.expect("the store answers"), None);
    assert_eq!(store.highest().await.expect("the store answers"), Position::new(105));
    assert_eq!(store.highest_given().await.expect("the store answers"), Some(message(6)));
    let rows = store.rows(101..=102).await.expect("the store answers");
    let places: Vec<_> = rows.iter().filter_map(|row| Some((row.id.get(), row.posted()?.posted_seq.get()))).collect();
    assert_eq!(places, [(5, 101), (6, 102)]);
    assert!(store.rows(1..=98).await.expect("the store answers").is_empty());
}

/// The log begins too early: one day it would give that id to another message.
pub async fn a_given_id_that_is_not_below_its_position_is_a_misfit(store: &impl MessageStore) {
    let batch = [
        entry(10, ana(), relayed(10, "at")),
        entry(11, ana(), relayed(99, "behind")),
        entry(12, ana(), posted("fits")),
    ];
    let misfits = store.apply(&batch).await.expect("the store takes the batch");
    assert_eq!(misfits.iter().map(|misfit| misfit.position.get()).collect::<Vec<_>>(), [10, 11]);
    assert_eq!(content(store, 12).await, "fits");
}

/// Of two messages with one id the first one stays.
pub async fn a_given_id_is_given_once(store: &impl MessageStore) {
    applies(store, &[entry(10, ana(), posted("ours")), entry(101, ana(), relayed(5, "theirs"))]).await;
    let batch = [entry_in(2, 102, ana(), relayed(5, "elsewhere")), entry(103, ana(), relayed(10, "in our place"))];
    let misfits = store.apply(&batch).await.expect("the store takes the batch");
    assert_eq!(misfits.iter().map(|misfit| misfit.position.get()).collect::<Vec<_>>(), [102, 103]);
    assert_eq!((content(store, 5).await, content(store, 10).await), ("theirs".to_owned(), "ours".to_owned()));
}

/// Where it stands first, whichever is stored first.
pub async fn a_post_that_stands_in_the_log_twice_is_one_message(store: &impl Evidence) {
    let posts = [(5, 101), (6, 103), (5, 102), (6, 104)].map(|(id, at)| entry(at, ana(), relayed(id, "twice")));
    for index in [0, 2, 3, 1] {
        applies(store, &posts[index..=index]).await;
    }
    let told = store.changes(conversation(1), Position::START, Position::new(999), 9).await.expect("the store answers");
    assert_eq!(told.iter().map(|entry| entry.position.get()).collect::<Vec<_>>(), [101, 103]);
    let touched = store.touched(104..=104).await.expect("the store answers");
    assert_eq!(touched, [], "nothing was done to it there");
}

/// Not behind its id: of those that are ours, all ids are higher.
pub async fn unread_are_those_that_were_posted_behind_what_was_read(store: &impl MessageStore) {
    let unread =
        async || store.summaries(bob().id, &[conversation(1)], 0).await.expect("the store answers")[0].unread_count;
    let log = [
        entry(101, ana(), relayed(5, "one")),
        entry(102, ana(), posted("two")),
        entry(103, ana(), relayed(6, "three")),
        entry(104, ana(), posted("four")),
    ];
    applies(store, &log).await;
    assert_eq!(unread().await, 4);
    applies(store, &[entry(105, bob(), read(102))]).await;
    assert_eq!(unread().await, 2);
    applies(store, &[entry(106, bob(), read(6))]).await;
    assert_eq!(unread().await, 1);
    applies(store, &[entry(107, bob(), read(5)), entry(108, ana(), relayed(7, "five"))]).await;
    assert_eq!(unread().await, 2);
    applies(store, &[entry(109, bob(), read(7))]).await;
    assert_eq!(unread().await, 0);
}

/// What was relayed after it stays, whatever its id; what was relayed before it is gone, with the marks at it.
pub async fn an_erasure_goes_by_positions(store: &impl MessageStore) {
    let log = [
        entry(101, ana(), relayed(5, "before")),
        entry(103, bob(), read(5)),
        entry(110, ana(), Body::ConversationDeleted),
        entry(111, ana(), relayed(6, "after")),
        entry(112, ana(), edited(6, "edited")),
    ];
    for entry in [0, 4, 1, 3, 2] {
        applies(store, &log[entry..=entry]).await;
    }
    applies(store, &log).await;
    assert_eq!(store.message(message(5)).await.expect("the store answers"), None);
    assert_eq!(content(store, 6).await, "edited");
    let told = store.changes(conversation(1), Position::START, Position::new(999), 9).await.expect("the store answers");
    assert_eq!(told.iter().map(|entry| entry.position.get()).collect::<Vec<_>>(), [110, 111, 112]);
    let summary = &store.summaries(bob().id, &[conversation(1)], 9).await.expect("the store answers")[0];
    assert_eq!((summary.latest.len(), summary.unread_count), (1, 1));
}

/// With their ids. What was done to one before it was posted is told by the post.
pub async fn relayed_messages_are_told_where_they_were_posted(store: &impl MessageStore) {
    let log = [
        entry(101, ana(), posted("ours")),
        entry(102, ana(), relayed(5, "theirs")),
        entry(103, ana(), edited(6, "edited early")),
        entry(104, ana(), deleted(7)),
        entry(105, ana(), relayed(6, "theirs too")),
        entry(106, ana(), relayed(7, "gone before")),
        entry(107, bob(), read(5)),
    ];
    applies(store, &log).await;
    let told = store.changes(conversation(1), Position::START, Position::new(999), 9).await.expect("the store answers");
    assert_eq!(told.iter().map(|entry| entry.position.get()).collect::<Vec<_>>(), [101, 102, 105, 107]);
    assert_eq!(told[1], log[1]);
    assert_eq!(told[2].event.body, relayed(6, "edited early"));
    let page =
        store.changes(conversation(1), Position::new(101), Position::new(105), 1).await.expect("the store answers");
    assert_eq!(page, told[1..2]);
}
