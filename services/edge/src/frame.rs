//! One frame as all clients of a room get it: encoded once.

use axum::extract::ws::Utf8Bytes;
use natter_model::event::{Body, Entry, Signal};
use natter_model::id::{AccountId, MessageId, Position};
use natter_wire::server;

/// A frame as the clients get it.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    /// Its JSON.
    pub text: Utf8Bytes,
    /// Where the event stands; of a signal, where the head was.
    pub position: Position,
    /// What it tells.
    pub kind: Kind,
}

/// What a frame tells, as far as the edge needs to know.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// A message was posted.
    Posted { message: MessageId, sender: AccountId },
    /// A message was taken back, if `by` had sent it.
    Deleted { message: MessageId, by: AccountId },
    /// Somebody takes part no longer. Has no text, and nobody gets it.
    Removed { account: AccountId },
    /// Something else happened.
    OtherEvent,
    /// Somebody signalled.
    Signal { from: AccountId },
}

impl Frame {
    /// `None`: the event ends the conversation, and nobody is told of it by a frame.
    pub(crate) fn of_event(entry: &Entry) -> Option<Self> {
        if entry.event.body == Body::ConversationDeleted {
            return None;
        }
        let text = server::event(entry).unwrap_or_default().into();
        let by = entry.event.actor.id;
        let kind = match entry.event.body {
            Body::Posted { .. } => {
                entry.message_id().map_or(Kind::OtherEvent, |message| Kind::Posted { message, sender: by })
            }
            Body::Deleted { message } => Kind::Deleted { message, by },
            Body::ParticipantRemoved => Kind::Removed { account: by },
            Body::Edited { .. } | Body::Read { .. } | Body::ConversationDeleted => Kind::OtherEvent,
        };
        Some(Self { text, position: entry.position, kind })
    }

    /// `head` is where the last event before the signal stands.
    pub(crate) fn of_signal(signal: &Signal, head: Position) -> Self {
        let text = server::signal(signal).into();
        Self { text, position: head, kind: Kind::Signal { from: signal.actor.id } }
    }

    /// Is it for this reader, who has got all events up to `position`?
    pub(crate) fn is_news_to(&self, reader: AccountId, position: Position) -> bool {
        match self.kind {
            Kind::Signal { from } => from != reader,
            Kind::Removed { .. } => false,
            Kind::Posted { .. } | Kind::Deleted { .. } | Kind::OtherEvent => self.position > position,
        }
    }
}
