//! Pages, summaries and unread counts.

use natter_model::event::{Body, Entry};

use super::chatter::{ana, at, bob, conversation, deleted, edited, entry, entry_in, message, posted, read};
use super::folding::applies;
use crate::messages::{Deleted, Message, MessageStore, Order, Page, PageNumber, PageQuery};

fn first_page() -> PageQuery {
    PageQuery {
        conversations: vec![conversation(1)],
        order: Order::OldestFirst,
        deleted: Deleted::LeftOut,
        page: PageNumber::Number(1),
        size: 50,
    }
}

async fn page(store: &impl MessageStore, query: PageQuery) -> Page {
    store.page(&query).await.expect("the store answers")
}

fn ids(messages: &[Message]) -> Vec<u64> {
    messages.iter().map(|message| message.id.get()).collect()
}

fn said(positions: impl IntoIterator<Item = u64>) -> Vec<Entry> {
    positions.into_iter().map(|position| entry(position, ana(), posted("hello"))).collect()
}

/// Forwards or backwards.
pub async fn pages_are_ordered_by_time_then_id(store: &impl MessageStore) {
    let mut log = said([10, 11, 12, 13]);
    // Edges' clocks differ: 10 was said last, and 11 and 12 at the same moment.
    log[0].event.at = at(99);
    log[2].event.at = at(11);
    applies(store, &log).await;
    assert_eq!(ids(&page(store, first_page()).await.messages), [11, 12, 13, 10]);
    let newest = page(store, PageQuery { order: Order::NewestFirst, ..first_page() }).await;
    assert_eq!(ids(&newest.messages), [10, 13, 12, 11]);
    let summaries = store.summaries(bob().id, &[conversation(1)], 2).await.expect("the store answers");
    assert_eq!(ids(&summaries[0].latest), [13, 10]);
}

/// As the question says; what is left out is not counted.
pub async fn pages_leave_deleted_messages_out_or_not(store: &impl MessageStore) {
    applies(store, &said([10, 11, 12])).await;
    applies(store, &[entry(13, ana(), deleted(11))]).await;
    let without = page(store, first_page()).await;
    assert_eq!((without.count, ids(&without.messages)), (2, vec![10, 12]));
    let with = page(store, PageQuery { deleted: Deleted::Included, ..first_page() }).await;
    assert_eq!((with.count, ids(&with.messages)), (3, vec![10, 11, 12]));
    assert_eq!(with.messages[1].content.as_deref(), Some(""));
}

/// The last page is known by its number and by its name; behind it, and at 0, there is none.
pub async fn pages_end(store: &impl MessageStore) {
    let numbered = |page| PageQuery { page, size: 2, ..first_page() };
    let empty = page(store, numbered(PageNumber::Last)).await;
    assert_eq!(empty, Page { count: 0, pages: 1, number: Some(1), messages: Vec::new() });
    applies(store, &said(10..15)).await;
    let second = page(store, numbered(PageNumber::Number(2))).await;
    assert_eq!((second.count, second.pages, second.number, ids(&second.messages)), (5, 3, Some(2), vec![12, 13]));
    let last = page(store, numbered(PageNumber::Last)).await;
    assert_eq!((last.number, ids(&last.messages)), (Some(3), vec![14]));
    assert_eq!(page(store, numbered(PageNumber::Number(3))).await, last);
    for beyond in [0, 4, u64::MAX] {
        let none = page(store, numbered(PageNumber::Number(beyond))).await;
        assert_eq!(none, Page { count: 5, pages: 3, number: None, messages: Vec::new() });
    }
}

/// As one list, each conversation once; of no conversation, an empty one.
pub async fn pages_may_span_conversations(store: &impl MessageStore) {
    let log =
        [1, 2, 3, 1].into_iter().zip(10..).map(|(conversation, at)| entry_in(conversation, at, ana(), posted("x")));
    applies(store, &log.collect::<Vec<_>>()).await;
    let both = page(store, PageQuery { conversations: [3, 1, 3].map(conversation).to_vec(), ..first_page() }).await;
    assert_eq!((both.count, ids(&both.messages)), (3, vec![10, 12, 13]));
    let none = page(store, PageQuery { conversations: Vec::new(), ..first_page() }).await;
    assert_eq!((none.count, none.number), (0, Some(1)));
}

/// Their posts have not come.
pub async fn messages_that_are_only_spoken_of_are_not_there(store: &impl MessageStore) {
    applies(store, &[entry(12, ana(), edited(10, "early")), entry(13, bob(), read(10))]).await;
    let all = page(store, PageQuery { deleted: Deleted::Included, ..first_page() }).await;
    assert_eq!((all.count, all.messages.len()), (0, 0));
    let summaries = store.summaries(bob().id, &[conversation(1)], 5).await.expect("the store answers");
    assert_eq!((summaries[0].latest.len(), summaries[0].unread_count), (0, 0));
}

/// In the order asked for, oldest first within each, deleted ones included.
pub async fn summaries_hold_the_newest_messages_of_each_conversation(store: &impl MessageStore) {
    let log = [
        entry_in(1, 10, ana(), posted("one")),
        entry_in(1, 11, ana(), posted("two")),
        entry_in(1, 12, ana(), posted("three")),
        entry_in(1, 13, ana(), deleted(12)),
        entry_in(2, 14, bob(), posted("four")),
    ];
    applies(store, &log).await;
    let asked = [conversation(2), conversation(7), conversation(1)];
    let summaries = store.summaries(ana().id, &asked, 2).await.expect("the store answers");
    assert_eq!(summaries.iter().map(|summary| summary.conversation).collect::<Vec<_>>(), asked);
    let latest: Vec<_> = summaries.iter().map(|summary| ids(&summary.latest)).collect();
    assert_eq!(latest, [vec![14], vec![], vec![11, 12]]);
    let counts = store.summaries(ana().id, &asked, 0).await.expect("the store answers");
    assert!(counts.iter().all(|summary| summary.latest.is_empty()));
    assert_eq!(store.summaries(ana().id, &[], 5).await.expect("the store answers"), []);
}

async fn unread(store: &impl MessageStore, who: natter_model::event::Actor) -> u64 {
    store.summaries(who.id, &[conversation(1)], 0).await.expect("the store answers")[0].unread_count
}

/// Own messages and deleted ones do not count.
pub async fn unread_are_the_messages_of_others_behind_the_mark(store: &impl MessageStore) {
    applies(store, &said([10, 11, 12])).await;
    applies(store, &[entry(13, bob(), posted("mine")), entry(14, ana(), deleted(12))]).await;
    assert_eq!((unread(store, ana()).await, unread(store, bob()).await), (1, 2));
    applies(store, &[entry(15, bob(), read(10))]).await;
    assert_eq!((unread(store, ana()).await, unread(store, bob()).await), (1, 1));
    applies(store, &[entry(16, bob(), read(12)), entry(17, ana(), edited(10, "read before"))]).await;
    assert_eq!((unread(store, ana()).await, unread(store, bob()).await), (1, 0));
}

/// Reading an old message again does not make newer ones unread.
pub async fn a_mark_only_moves_forward(store: &impl MessageStore) {
    applies(store, &said([10, 11, 12])).await;
    applies(store, &[entry(20, bob(), read(12))]).await;
    applies(store, &[entry(21, bob(), read(10))]).await;
    assert_eq!(unread(store, bob()).await, 0);
    applies(store, &[entry(22, ana(), Body::Read { message: message(12) })]).await;
    applies(store, &said([30])).await;
    assert_eq!(unread(store, bob()).await, 1);
}
