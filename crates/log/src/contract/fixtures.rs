//! What the contract's tests say and wait for.

use std::time::Duration;

use natter_model::event::{Actor, Body, Entry, Event, Origin, Signal, SignalBody};
use natter_model::id::{AccountId, ConversationId, EventId, Position};
use natter_model::timestamp::Timestamp;

use super::Subject;
use crate::port::{Delivery, Feed, Heard};

/// Bytes that are no event.
pub const GARBAGE: &[u8] = b"\xff\xff no event";

/// The conversation with this id.
pub fn conversation(id: u64) -> ConversationId {
    ConversationId::new(id).expect("a small id is in range")
}

/// A new event: somebody posts this.
pub fn posted(conversation: ConversationId, content: &str) -> Event {
    Event {
        id: EventId::fresh(),
        conversation,
        actor: ana(),
        at: Timestamp::from_micros(1_763_028_300_123_456),
        origin: Origin::Natter,
        body: Body::Posted { message: None, content: content.to_owned(), attachment: None, client_id: None },
    }
}

/// Somebody begins or ceases to type.
pub fn typing(conversation: ConversationId, is_typing: bool) -> Signal {
    Signal { conversation, actor: ana(), origin: Origin::Natter, body: SignalBody::Typing { is_typing } }
}

fn ana() -> Actor {
    Actor { id: AccountId::new(2).expect("a small id is in range"), username: "ana".to_owned() }
}

/// Appends this many posts to the conversation, and answers the entries as the log must hold them.
pub async fn say(subject: &impl Subject, conversation: ConversationId, n: usize) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut previous = subject.log().head(conversation).await.expect("the log answers");
    for i in 0..n {
        let event = posted(conversation, &format!("message {i}"));
        let appended = subject.log().append(&event).await.expect("the log takes it");
        assert!(!appended.duplicate, "a new event is no duplicate");
        entries.push(Entry { position: appended.position, previous, event });
        previous = appended.position;
    }
    entries
}

/// What the feed yields next.
pub async fn hear(feed: &mut Feed) -> Heard {
    within(feed.next()).await.expect("the feed goes on")
}

/// The output, or a failed test if it does not come.
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("it should have come by now")
}

/// Where the records stand.
pub fn positions_of(deliveries: &[Delivery]) -> Vec<Position> {
    deliveries.iter().map(Delivery::position).collect()
}
