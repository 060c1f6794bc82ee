//! Events and signals as bytes: what the log keeps and the broker carries.

use natter_model::event::{Actor, Body, Event, Origin, Signal, SignalBody};
use natter_model::id::{AccountId, ConversationId, EventId, MessageId};
use natter_model::timestamp::Timestamp;
use prost::Message as _;

use crate::v1;

/// Why bytes are no event or signal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not protobuf of the expected shape.
    #[error("not a protobuf record: {0}")]
    Malformed(#[from] prost::DecodeError),
    /// A part that every record has is missing.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A part has a value it cannot have.
    #[error("{0} is out of range")]
    OutOfRange(&'static str),
}

/// The event as a log record.
pub fn encode_event(event: &Event) -> Vec<u8> {
    to_proto(event).encode_to_vec()
}

/// The event as a message, for replies that carry some.
pub fn to_proto(event: &Event) -> v1::Event {
    let body = match &event.body {
        Body::Posted { message, content, attachment, client_id } => v1::event::Body::Posted(v1::Posted {
            content: content.clone(),
            attachment: attachment.clone(),
            client_id: client_id.clone(),
            message_id: message.map(MessageId::get),
        }),
        Body::Edited { message, content } => {
            v1::event::Body::Edited(v1::Edited { message_id: message.get(), content: content.clone() })
        }
        Body::Deleted { message } => v1::event::Body::Deleted(v1::Deleted { message_id: message.get() }),
        Body::Read { message } => v1::event::Body::Read(v1::Read { message_id: message.get() }),
        Body::ConversationDeleted => v1::event::Body::ConversationDeleted(v1::ConversationDeleted {}),
        Body::ParticipantRemoved => v1::event::Body::ParticipantRemoved(v1::ParticipantRemoved {}),
    };
    v1::Event {
        event_id: event.id.as_bytes().to_vec(),
        conversation_id: event.conversation.get(),
        actor: Some(encode_actor(&event.actor)),
        at_us: event.at.as_micros(),
        origin: encode_origin(event.origin).into(),
        body: Some(body),
    }
}

/// A record that only keeps its position from being used again.
pub fn encode_filler() -> Vec<u8> {
    v1::Event { body: Some(v1::event::Body::Filler(v1::Filler {})), ..v1::Event::default() }.encode_to_vec()
}

/// Whether a log record is a filler; it holds no event.
pub fn is_filler(bytes: &[u8]) -> bool {
    v1::Event::decode(bytes).is_ok_and(|event| matches!(event.body, Some(v1::event::Body::Filler(_))))
}

/// The event that a log record holds.
pub fn decode_event(bytes: &[u8]) -> Result<Event, DecodeError> {
    from_proto(v1::Event::decode(bytes)?)
}

/// The event that a message describes.
pub fn from_proto(event: v1::Event) -> Result<Event, DecodeError> {
    let event_id = event.event_id.as_slice().try_into().map_err(|_| DecodeError::OutOfRange("event_id"))?;
    let body = match event.body.ok_or(DecodeError::Missing("body"))? {
        v1::event::Body::Posted(posted) => Body::Posted {
            message: posted.message_id.map(message_id).transpose()?,
            content: posted.content,
            attachment: posted.attachment,
            client_id: posted.client_id,
        },
        v1::event::Body::Edited(edited) => {
            Body::Edited { message: message_id(edited.message_id)?, content: edited.content }
        }
        v1::event::Body::Deleted(deleted) => Body::Deleted { message: message_id(deleted.message_id)? },
        v1::event::Body::Read(read) => Body::Read { message: message_id(read.message_id)? },
        v1::event::Body::ConversationDeleted(_) => Body::ConversationDeleted,
        v1::event::Body::ParticipantRemoved(_) => Body::ParticipantRemoved,
        v1::event::Body::Filler(_) => return Err(DecodeError::OutOfRange("body")),
    };
    Ok(Event {
        id: EventId::from_bytes(event_id),
        conversation: conversation_id(event.conversation_id)?,
        actor: decode_actor(event.actor)?,
        at: Timestamp::from_micros(event.at_us),
        origin: decode_origin(event.origin)?,
        body,
    })
}

/// The signal as the broker carries it.
pub fn encode_signal(signal: &Signal) -> Vec<u8> {
    let SignalBody::Typing { is_typing } = signal.body;
    v1::Signal {
        conversation_id: signal.conversation.get(),
        actor: Some(encode_actor(&signal.actor)),
        origin: encode_origin(signal.origin).into(),
        body: Some(v1::signal::Body::Typing(v1::Typing { is_typing })),
    }
    .encode_to_vec()
}

/// The signal that the broker carried.
pub fn decode_signal(bytes: &[u8]) -> Result<Signal, DecodeError> {
    let signal = v1::Signal::decode(bytes)?;
    let v1::signal::Body::Typing(typing) = signal.body.ok_or(DecodeError::Missing("body"))?;
    Ok(Signal {
        conversation: conversation_id(signal.conversation_id)?,
        actor: decode_actor(signal.actor)?,
        origin: decode_origin(signal.origin)?,
        body: SignalBody::Typing { is_typing: typing.is_typing },
    })
}

fn encode_actor(actor: &Actor) -> v1::Actor {
    v1::Actor { account_id: actor.id.get(), username: actor.username.clone() }
}

fn decode_actor(actor: Option<v1::Actor>) -> Result<Actor, DecodeError> {
    let actor = actor.ok_or(DecodeError::Missing("actor"))?;
    let id = AccountId::new(actor.account_id).ok_or(DecodeError::OutOfRange("account_id"))?;
    Ok(Actor { id, username: actor.username })
}

fn encode_origin(origin: Origin) -> v1::Origin {
    match origin {
        Origin::Natter => v1::Origin::Natter,
        Origin::Channels => v1::Origin::Channels,
    }
}

fn decode_origin(origin: i32) -> Result<Origin, DecodeError> {
    match v1::Origin::try_from(origin) {
        Ok(v1::Origin::Natter) => Ok(Origin::Natter),
        Ok(v1::Origin::Channels) => Ok(Origin::Channels),
        Err(_) => Err(DecodeError::OutOfRange("origin")),
    }
}

fn conversation_id(id: u64) -> Result<ConversationId, DecodeError> {
    ConversationId::new(id).ok_or(DecodeError::OutOfRange("conversation_id"))
}

fn message_id(id: u64) -> Result<MessageId, DecodeError> {
    MessageId::new(id).ok_or(DecodeError::OutOfRange("message_id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(body: Body) -> Event {
        Event {
            id: EventId::fresh(),
            conversation: ConversationId::new(7).expect("in range"),
            actor: Actor { id: AccountId::new(2).expect("in range"), username: "Jürgen_中文".into() },
            at: Timestamp::from_micros(1_763_028_300_123_456),
            origin: Origin::Natter,
            body,
        }
    }

    #[test]
    fn every_body_survives_the_log() {
        let message = MessageId::new(natter_model::id::MAX_ID).expect("in range");
        for body in [
            Body::Posted { message: None, content: " as typed\n".into(), attachment: None, client_id: None },
            Body::Posted {
                message: Some(message),
                content: String::new(),
                attachment: Some("a/b".into()),
                client_id: Some("c".into()),
            },
            Body::Edited { message, content: "new".into() },
            Body::Deleted { message },
            Body::Read { message },
            Body::ConversationDeleted,
            Body::ParticipantRemoved,
        ] {
            for origin in [Origin::Natter, Origin::Channels] {
                let event = Event { origin, ..event(body.clone()) };
                assert_eq!(decode_event(&encode_event(&event)), Ok(event));
            }
        }
    }

    #[test]
    fn what_is_no_event_is_told_apart() {
        let whole = encode_event(&event(Body::ConversationDeleted));
        assert!(matches!(decode_event(&whole[..whole.len() - 1]), Err(DecodeError::Malformed(_))));
        assert_eq!(decode_event(&[]), Err(DecodeError::OutOfRange("event_id")));
        let mut ahead = v1::Event::decode(whole.as_slice()).expect("just encoded");
        ahead.conversation_id = u64::MAX;
        assert_eq!(decode_event(&ahead.encode_to_vec()), Err(DecodeError::OutOfRange("conversation_id")));
        ahead.conversation_id = 7;
        ahead.origin = 99;
        assert_eq!(decode_event(&ahead.encode_to_vec()), Err(DecodeError::OutOfRange("origin")));
        ahead.body = None;
        assert_eq!(decode_event(&ahead.encode_to_vec()), Err(DecodeError::Missing("body")));
    }

    #[test]
    fn a_filler_is_no_event_and_no_event_is_a_filler() {
        assert!(is_filler(&encode_filler()));
        assert!(decode_event(&encode_filler()).is_err());
        for other in [encode_event(&event(Body::ConversationDeleted)), Vec::new(), b"\xff\xff".to_vec()] {
            assert!(!is_filler(&other));
        }
    }

    #[test]
    fn a_signal_survives_the_wire() {
        let Event { conversation, actor, .. } = event(Body::ConversationDeleted);
        for origin in [Origin::Natter, Origin::Channels] {
            let body = SignalBody::Typing { is_typing: true };
            let signal = Signal { conversation, actor: actor.clone(), origin, body };
            assert_eq!(decode_signal(&encode_signal(&signal)), Ok(signal));
        }
    }
}
