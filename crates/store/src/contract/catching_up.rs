//! What somebody is told who comes back.

use natter_model::event::{Actor, Body, Entry, Event};
use natter_model::id::{ConversationId, EventId, Position};
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::TestRunner;

use super::chatter::{ana, at, bob, conversation, deleted, edited, entry, entry_in, posted, read};
use super::folding::{applies, example, sample};
use super::importing::{imported, imports};
use super::logs::{deliveries, log};
use super::reference::last;
use super::views::View;
use crate::messages::{Message, MessageStore};

/// Behind everything that these tests say.
const END: u64 = 1_000_000;

async fn told(store: &impl MessageStore, since: u64, upto: u64, limit: usize) -> Vec<Entry> {
    let (since, upto) = (Position::new(since), Position::new(upto));
    store.changes(conversation(1), since, upto, limit).await.expect("the store answers")
}

fn positions(entries: &[Entry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.position.get()).collect()
}

/// An entry as it is told: of conversation 1, with the id of its event if that posted a message.
fn told_as(position: u64, actor: Actor, body: Body) -> Entry {
    let entry = entry(position, actor, body);
    let is_post = matches!(entry.event.body, Body::Posted { .. });
    let id = if is_post { entry.event.id } else { EventId::NIL };
    Entry { event: Event { id, ..entry.event }, ..entry }
}

/// Each with who did it and when; a message with what it says now.
pub async fn changes_are_told_as_they_stand_now(store: &impl MessageStore) {
    let with_all = |content: &str| Body::Posted {
        message: None,
        content: content.to_owned(),
        attachment: Some("chat/a.png".to_owned()),
        client_id: Some("mine".to_owned()),
    };
    let log = [
        entry(10, ana(), with_all(" first\n")),
        entry(11, bob(), posted("oops")),
        entry_in(2, 12, ana(), posted("elsewhere")),
        entry(13, ana(), edited(10, "second")),
        entry(14, bob(), deleted(11)),
        entry(15, bob(), read(10)),
    ];
    applies(store, &log).await;
    let expected = [
        told_as(10, ana(), with_all("second")),
        told_as(11, bob(), posted("")),
        told_as(13, ana(), edited(10, "second")),
        told_as(14, bob(), deleted(11)),
        told_as(15, bob(), read(10)),
    ];
    assert_eq!(told(store, 0, END, 100).await, expected);
    assert_eq!(told(store, 12, END, 100).await, expected[2..]);
    assert_eq!(told(store, 15, END, 100).await, []);
}

/// Edits by later ones and by deletes, marks by later ones; what never counted is not there either.
pub async fn what_was_superseded_is_left_out(store: &impl MessageStore) {
    let log = [
        entry(10, ana(), posted("one")),
        entry(11, ana(), posted("two")),
        entry(12, ana(), edited(10, "once")),
        entry(13, ana(), edited(10, "twice")),
        entry(14, ana(), edited(11, "once")),
        entry(15, bob(), read(11)),
        entry(16, ana(), deleted(11)),
        entry(17, ana(), edited(11, "too late")),
        entry(18, bob(), read(10)),
        entry(19, bob(), edited(10, "not his")),
        entry(20, bob(), deleted(10)),
        entry(21, bob(), read(11)),
        entry(22, ana(), edited(9, "of nothing")),
    ];
    applies(store, &log[..11]).await;
    assert_eq!(positions(&told(store, 0, END, 100).await), [10, 11, 13, 15, 16]);
    applies(store, &log[11..]).await;
    assert_eq!(positions(&told(store, 0, END, 100).await), [10, 11, 13, 16, 21]);
    assert_eq!(positions(&told(store, 13, END, 100).await), [16, 21]);
    applies(store, &[entry(30, ana(), deleted(11))]).await;
    assert_eq!(positions(&told(store, 0, END, 100).await), [10, 11, 13, 21, 30]);
}

/// After so many, and behind that position; whatever its kind, no entry before the last one is missing.
pub async fn changes_end_where_they_are_asked_to(store: &impl MessageStore) {
    let log = [
        entry(10, ana(), posted("one")),
        entry(11, ana(), edited(10, "once")),
        entry(12, ana(), posted("two")),
        entry(13, bob(), read(12)),
        entry(14, ana(), deleted(12)),
        entry(15, ana(), posted("three")),
    ];
    applies(store, &log).await;
    for (since, upto, limit, expected) in [
        (0, END, 3, &[10, 11, 12][..]),
        (12, END, 3, &[13, 14, 15]),
        (0, 13, 100, &[10, 11, 12, 13]),
        (11, 14, 2, &[12, 13]),
        (0, 9, 100, &[]),
        (13, 13, 100, &[]),
        (0, END, 1, &[10]),
    ] {
        assert_eq!(positions(&told(store, since, upto, limit).await), expected, "{limit} of {since} to {upto}");
    }
}

/// And nothing of what was before it.
pub async fn an_end_is_told_before_what_came_after_it(store: &impl MessageStore) {
    let log = [
        entry(10, ana(), posted("gone")),
        entry(11, bob(), read(10)),
        entry(12, bob(), Body::ConversationDeleted),
        entry(13, ana(), posted("gone too")),
        entry(14, ana(), Body::ConversationDeleted),
        entry(15, ana(), posted("after")),
    ];
    applies(store, &log).await;
    let expected = [told_as(14, ana(), Body::ConversationDeleted), told_as(15, ana(), posted("after"))];
    assert_eq!(told(store, 0, END, 100).await, expected);
    assert_eq!(told(store, 14, END, 100).await, expected[1..]);
}

/// From the start, as they are; those that were deleted there nobody has ever seen.
pub async fn imported_messages_are_told_as_posted(store: &impl MessageStore) {
    let was_deleted = Message { is_deleted: true, content: Some(String::new()), ..imported(2) };
    let was_edited = Message { edited_at: Some(at(50)), content: None, ..imported(3) };
    imports(store, &[imported(1), was_deleted, was_edited]).await;
    applies(store, &[entry(10, ana(), posted("new")), entry(11, ana(), deleted(1))]).await;
    let mut expected = [1, 3, 10, 11].map(|position| told_as(position, ana(), posted("")));
    expected[0].event.id = EventId::NIL;
    expected[1].event.id = EventId::NIL;
    expected[2] = told_as(10, ana(), posted("new"));
    expected[3] = told_as(11, ana(), deleted(1));
    assert_eq!(told(store, 0, END, 100).await, expected);
    assert_eq!(positions(&told(store, 1, END, 100).await), [3, 10, 11]);
    applies(store, &[entry(12, ana(), deleted(2))]).await;
    assert_eq!(positions(&told(store, 1, END, 100).await), [2, 3, 10, 11, 12]);
}

/// Wherever they left off, in pages of whatever size, also if the store is ahead of what is asked for in between.
pub async fn whoever_catches_up_sees_what_the_log_adds_up_to(store: &impl MessageStore) {
    let mut runner = TestRunner::deterministic();
    for round in 0..8 {
        let log = example(&mut runner, log(80), round);
        for batch in sample(&mut runner, deliveries(log.clone())) {
            applies(store, &batch).await;
        }
        let end = last(&log);
        let stops = (vec(0..log.len(), 12), vec(1..20_usize, 12), vec(any::<bool>(), 12));
        let (starts, limits, halts) = sample(&mut runner, stops);
        for ((start, limit), halts) in starts.into_iter().zip(limits).zip(halts) {
            let place = conversation(1 + 10 * round + u64::try_from(start % 3).expect("a small number"));
            let mut view = View::of(&log[..start], place);
            let mut since = last(&log[..start]);
            if halts {
                let halfway = log[start + (log.len() - start) / 2].position;
                catch_up(store, &mut view, place, since, halfway, limit).await;
                since = halfway;
            }
            catch_up(store, &mut view, place, since, end, limit).await;
            assert_eq!(view, View::of(&log, place), "from entry {start} in pages of {limit} of {place} of {log:#?}");
        }
    }
}

async fn catch_up(
    store: &impl MessageStore,
    view: &mut View,
    place: ConversationId,
    mut since: Position,
    upto: Position,
    limit: usize,
) {
    loop {
        let page = store.changes(place, since, upto, limit).await.expect("the store answers");
        for entry in &page {
            assert!(entry.position > since && entry.position <= upto, "{} lies behind {since}", entry.position);
            since = entry.position;
            view.is_told(entry);
        }
        assert!(page.len() <= limit);
        if page.len() < limit {
            return;
        }
    }
}
