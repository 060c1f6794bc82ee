//! One frame as all clients of a room get it: encoded once.

use axum::extract::ws::Utf8Bytes;
use natter_model::event::{Body, Entry, Signal};
use natter_model::id::{AccountId, MessageId, Position};
use natter_wire::kind::FrameKind;
use natter_wire::server::{self, Encoded};

/// A text on its way to a client. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outgoing {
    /// Its JSON.
    pub text: Utf8Bytes,
    /// What is counted when it is sent.
    pub kind: FrameKind,
}

impl From<Encoded> for Outgoing {
    fn from(Encoded { kind, text }: Encoded) -> Self {
        Self { text: text.into(), kind }
    }
}

/// A frame as the clients get it.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    /// What they get. `None`: it is for nobody.
    pub outgoing: Option<Outgoing>,
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
    /// Somebody takes part no longer. Nobody is told by a frame.
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
        let outgoing = server::event(entry).map(Outgoing::from);
        let by = entry.event.actor.id;
        let kind = match entry.event.body {
            Body::Posted { .. } => {
                entry.message_id().map_or(Kind::OtherEvent, |message| Kind::Posted { message, sender: by })
            }
            Body::Deleted { message } => Kind::Deleted { message, by },
            Body::ParticipantRemoved => Kind::Removed { account: by },
            Body::Edited { .. } | Body::Read { .. } | Body::ConversationDeleted => Kind::OtherEvent,
        };
        Some(Self { outgoing, position: entry.position, kind })
    }

    /// `head` is where the last event before the signal stands.
    pub(crate) fn of_signal(signal: &Signal, head: Position) -> Self {
        let outgoing = Some(server::signal(signal).into());
        Self { outgoing, position: head, kind: Kind::Signal { from: signal.actor.id } }
    }

    /// What this reader gets of it, who has got all events up to `position`.
    pub(crate) fn news_to(&self, reader: AccountId, position: Position) -> Option<&Outgoing> {
        let is_news = match self.kind {
            Kind::Signal { from } => from != reader,
            _ => self.position > position,
        };
        self.outgoing.as_ref().filter(|_| is_news)
    }

    /// The length of its text.
    pub(crate) fn n_bytes(&self) -> usize {
        self.outgoing.as_ref().map_or(0, |outgoing| outgoing.text.len())
    }
}
