//! Appending: order, duplicates, limits.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use natter_model::event::{Body, Event, Origin};
use natter_model::id::{EventId, MessageId, Position};

use super::Subject;
use super::fixtures::{conversation, posted, say, within};
use crate::port::LogError;

/// Positions grow along the whole log; each conversation reads its own events in that order.
pub async fn records_stand_in_order(subject: &impl Subject) {
    let (one, two) = (conversation(1), conversation(2));
    let (mut in_one, mut in_two, mut positions) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..3 {
        in_one.extend(say(subject, one, 1).await);
        in_two.extend(say(subject, two, 2).await);
        positions.extend(in_one.last().map(|entry| entry.position));
        positions.extend(in_two[in_two.len() - 2..].iter().map(|entry| entry.position));
    }
    assert!(positions.is_sorted_by(|a, b| a < b), "{positions:?}");
    let read = async |id| subject.log().read(id, Position::START, 100).await.expect("the log reads");
    assert_eq!(read(one).await, in_one);
    assert_eq!(read(two).await, in_two);
}

/// An event id stands in the log once, with what came first.
pub async fn an_event_is_taken_once(subject: &impl Subject) {
    let here = conversation(1);
    let event = posted(here, "once");
    let first = subject.log().append(&event).await.expect("the log takes it");
    say(subject, here, 1).await;
    let mut changed = event.clone();
    changed.body = Body::ConversationDeleted;
    for again in [&event, &changed] {
        let appended = subject.log().append(again).await.expect("the log takes it");
        assert_eq!(appended.position, first.position);
        assert!(appended.duplicate);
    }
    let entries = subject.log().read(here, Position::START, 10).await.expect("the log reads");
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0].event, event);
}

/// With the id that the other system gave it, and where it comes from; also if two relay it.
pub async fn what_was_relayed_stands_as_it_was(subject: &impl Subject) {
    let (here, given) = (conversation(1), MessageId::new(5));
    let body = Body::Posted { message: given, content: "from afar".to_owned(), attachment: None, client_id: None };
    let id = EventId::of_relayed_post(here, MessageId::new(5).expect("a small id is in range"));
    let event = Event { id, origin: Origin::Channels, body, ..posted(here, "") };
    let first = subject.log().append(&event).await.expect("the log takes it");
    let again = subject.log().append(&event).await.expect("the log takes it");
    assert_eq!((again.position, again.duplicate), (first.position, true));
    let entry = subject.log().entry(first.position).await.expect("the log reads").expect("it stands there");
    assert_eq!((entry.message_id(), &entry.event), (given, &event));
}

/// The same event sent many times at once stands in one place.
pub async fn one_of_many_at_once_is_taken(subject: &impl Subject) {
    let event = posted(conversation(1), "once");
    let appended = join_all((0..8).map(|_| subject.log().append(&event))).await;
    let appended: Vec<_> = appended.into_iter().map(|appended| appended.expect("the log takes it")).collect();
    assert!(appended.iter().all(|one| one.position == appended[0].position), "{appended:?}");
    assert_eq!(appended.iter().filter(|one| !one.duplicate).count(), 1, "{appended:?}");
}

/// Events appended at the same time all have a place of their own.
pub async fn many_at_once_all_stand(subject: &impl Subject) {
    let here = conversation(1);
    let events: Vec<_> = (0..100).map(|i| posted(here, &format!("message {i}"))).collect();
    let appended = within(join_all(events.iter().map(|event| subject.log().append(event)))).await;
    let positions: BTreeSet<_> = appended.iter().map(|one| one.as_ref().expect("the log takes it").position).collect();
    assert_eq!(positions.len(), events.len());
    let entries = subject.log().read(here, Position::START, 1000).await.expect("the log reads");
    assert_eq!(entries.iter().map(|entry| entry.position).collect::<BTreeSet<_>>(), positions);
    let chain: Vec<_> = entries.iter().map(|entry| entry.previous).skip(1).collect();
    assert_eq!(chain, entries[..entries.len() - 1].iter().map(|entry| entry.position).collect::<Vec<_>>());
}

/// What is too large is refused at once, and harms nobody else.
pub async fn an_event_that_is_too_large_is_refused(subject: &impl Subject) {
    let here = conversation(1);
    let large = posted(here, &"x".repeat(2 << 20));
    let refused = within(subject.log().append(&large)).await;
    assert!(matches!(refused, Err(LogError::TooLarge)), "{refused:?}");
    assert_eq!(subject.log().head(here).await.expect("the log answers"), Position::START);
    say(subject, here, 1).await;
}
