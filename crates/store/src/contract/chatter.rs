//! Things that people say, for tests.

use natter_model::event::{Actor, Body, Entry, Event, Origin};
use natter_model::id::{AccountId, ConversationId, EventId, MessageId, Position};
use natter_model::timestamp::Timestamp;

/// A participant.
pub fn ana() -> Actor {
    Actor { id: account(2), username: "ana".to_owned() }
}

/// Another participant.
pub fn bob() -> Actor {
    Actor { id: account(3), username: "bob".to_owned() }
}

/// The account with this id.
pub fn account(id: u64) -> AccountId {
    AccountId::new(id).expect("tests use good ids")
}

/// The conversation with this id.
pub fn conversation(id: u64) -> ConversationId {
    ConversationId::new(id).expect("tests use good ids")
}

/// The message with this id.
pub fn message(id: u64) -> MessageId {
    MessageId::new(id).expect("tests use good ids")
}

/// When everybody did what stands at this position: a second apart from the next.
pub fn at(position: u64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_123_456 + i64::try_from(position).expect("a small position") * 1_000_000)
}

/// An entry of conversation 1.
pub fn entry(position: u64, actor: Actor, body: Body) -> Entry {
    entry_in(1, position, actor, body)
}

/// An entry of this conversation.
pub fn entry_in(conversation_id: u64, position: u64, actor: Actor, body: Body) -> Entry {
    let conversation = conversation(conversation_id);
    let (id, origin) = match body {
        Body::Posted { message: Some(id), .. } => (EventId::of_relayed_post(conversation, id), Origin::Channels),
        _ => (EventId::from_bytes(u128::from(position).to_be_bytes()), Origin::Natter),
    };
    let event = Event { id, conversation, actor, at: at(position), origin, body };
    Entry { position: Position::new(position), previous: Position::START, event }
}

/// Something said.
pub fn posted(content: &str) -> Body {
    Body::Posted { message: None, content: content.to_owned(), attachment: None, client_id: None }
}

/// Something said, under a name of the sender's own.
pub fn posted_as(client_id: &str, content: &str) -> Body {
    Body::Posted { message: None, content: content.to_owned(), attachment: None, client_id: Some(client_id.to_owned()) }
}

/// Something said in another system, which gave it this id.
pub fn relayed(id: u64, content: &str) -> Body {
    Body::Posted { message: Some(message(id)), content: content.to_owned(), attachment: None, client_id: None }
}

/// A message changed.
pub fn edited(id: u64, content: &str) -> Body {
    Body::Edited { message: message(id), content: content.to_owned() }
}

/// A message taken back.
pub fn deleted(id: u64) -> Body {
    Body::Deleted { message: message(id) }
}

/// A message read.
pub fn read(id: u64) -> Body {
    Body::Read { message: message(id) }
}
