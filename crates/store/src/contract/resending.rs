//! Messages that were posted more than once.

use natter_model::event::{Body, Entry};
use natter_model::id::Position;

use super::chatter::{ana, at, bob, conversation, edited, entry, entry_in, message, posted_as, read};
use super::folding::{applies, together};
use crate::messages::{Deleted, MessageStore, Order, PageNumber, PageQuery};
use crate::resend::ClientKey;

fn anas(client_id: &str) -> ClientKey {
    ClientKey { conversation: conversation(1), sender: ana().id, client_id: client_id.to_owned() }
}

/// Where the message stands that ana posted under this name.
async fn found(store: &impl MessageStore, client_id: &str) -> Option<u64> {
    let message = store.sent_as(&anas(client_id)).await.expect("the store answers")?;
    Some(message.id.get())
}

async fn is_there(store: &impl MessageStore, id: u64) -> bool {
    store.message(message(id)).await.expect("the store answers").is_some()
}

/// In one batch or several, whichever came first.
pub async fn of_two_posts_with_one_client_id_the_lower_is_the_message(store: &impl MessageStore) {
    let post = |position, name| entry(position, ana(), posted_as(name, "hello"));
    applies(store, &[post(10, "in order")]).await;
    applies(store, &[post(11, "in order")]).await;
    applies(store, &[post(21, "the other way")]).await;
    applies(store, &[post(20, "the other way"), post(22, "the other way")]).await;
    applies(store, &[post(31, "in one batch"), post(30, "in one batch")]).await;
    // They wait for their posts, so that the rows are there before.
    applies(store, &[entry(42, ana(), edited(40, "new")), entry(43, ana(), edited(41, "new"))]).await;
    applies(store, &[post(41, "awaited")]).await;
    applies(store, &[post(40, "awaited")]).await;
    for (name, first, others) in [
        ("in order", 10, &[11][..]),
        ("the other way", 20, &[21, 22]),
        ("in one batch", 30, &[31]),
        ("awaited", 40, &[41]),
    ] {
        assert_eq!(found(store, name).await, Some(first), "{name}");
        assert!(is_there(store, first).await, "{name}");
        for other in others {
            assert!(!is_there(store, *other).await, "{name}");
        }
    }
}

/// Other people, and the same ones elsewhere.
pub async fn others_may_use_the_same_client_id(store: &impl MessageStore) {
    let log = [
        entry(10, ana(), posted_as("a", "ana's")),
        entry(11, bob(), posted_as("a", "bob's")),
        entry_in(2, 12, ana(), posted_as("a", "elsewhere")),
        entry(13, ana(), posted_as("A", "another name")),
        entry(14, ana(), posted_as("", "hardly a name")),
    ];
    applies(store, &log).await;
    for id in 10..=14 {
        assert!(is_there(store, id).await, "{id}");
    }
}

/// Not in pages, summaries or counts, nor to those who catch up.
pub async fn a_resend_is_shown_nowhere(store: &impl MessageStore) {
    let log = [
        entry(10, ana(), posted_as("a", "hello")),
        entry(11, ana(), posted_as("a", "hello")),
        entry(12, ana(), edited(11, "of the other")),
    ];
    applies(store, &log).await;
    let query = PageQuery {
        conversations: vec![conversation(1)],
        order: Order::OldestFirst,
        deleted: Deleted::Included,
        page: PageNumber::Last,
        size: 10,
    };
    let page = store.page(&query).await.expect("the store answers");
    assert_eq!((page.count, page.messages.len()), (1, 1));
    let summary = &store.summaries(bob().id, &[conversation(1)], 5).await.expect("the store answers")[0];
    assert_eq!((summary.latest.len(), summary.unread_count), (1, 1));
    let told = store.changes(conversation(1), Position::START, Position::new(99), 9).await.expect("the store answers");
    assert_eq!(told.iter().map(|entry| entry.position.get()).collect::<Vec<_>>(), [10]);
    assert_eq!(store.highest().await.expect("the store answers"), Position::new(12));
    applies(store, &[entry(13, bob(), read(11))]).await;
    assert_eq!(store.summaries(bob().id, &[conversation(1)], 0).await.expect("the store answers")[0].unread_count, 0);
}

/// Whichever way round they come.
pub async fn what_was_sent_again_takes_the_place_of_what_was_erased(store: &impl MessageStore) {
    for (place, order) in [(1, [0, 1, 2, 3]), (2, [1, 0, 2, 3]), (3, [3, 1, 0, 2]), (4, [2, 3, 1, 0])] {
        let first = place * 100;
        let log = [
            entry_in(place, first, ana(), posted_as("a", "gone")),
            entry_in(place, first + 2, ana(), posted_as("a", "stays")),
            entry_in(place, first + 1, ana(), Body::ConversationDeleted),
            entry_in(place, first + 3, ana(), posted_as("a", "again")),
        ];
        for index in order {
            applies(store, &log[index..=index]).await;
        }
        let there = [is_there(store, first).await, is_there(store, first + 2).await, is_there(store, first + 3).await];
        assert_eq!(there, [false, true, false], "{order:?}");
    }
}

/// Replicas that were each given other posts of the same messages.
pub async fn two_at_once_agree_on_the_message(store: &impl MessageStore) {
    const N_NAMES: u64 = 40;
    let posts = |offset: u64| -> Vec<Vec<Entry>> {
        let posts =
            (0..N_NAMES).map(|name| entry(100 + 2 * name + offset, ana(), posted_as(&name.to_string(), "hello")));
        let mut batches: Vec<_> = posts.collect::<Vec<_>>().chunks(8).map(<[Entry]>::to_vec).collect();
        if offset == 1 {
            batches.reverse();
        }
        batches
    };
    together(store, &posts(0), &posts(1)).await;
    for name in 0..N_NAMES {
        assert_eq!(found(store, &name.to_string()).await, Some(100 + 2 * name), "{name}");
        assert!(!is_there(store, 101 + 2 * name).await, "{name}");
    }
}

/// Also if it is deleted; not once it is erased.
pub async fn a_message_is_found_by_its_client_id(store: &impl MessageStore) {
    assert_eq!(found(store, "a").await, None);
    applies(store, &[entry(10, ana(), posted_as("a", "hello"))]).await;
    let message = store.sent_as(&anas("a")).await.expect("the store answers").expect("it is there");
    assert_eq!((message.id.get(), message.timestamp), (10, at(10)));
    applies(store, &[entry(11, ana(), super::chatter::deleted(10))]).await;
    assert_eq!(found(store, "a").await, Some(10));
    applies(store, &[entry(12, ana(), Body::ConversationDeleted)]).await;
    assert_eq!(found(store, "a").await, None);
}
