//! The frames that the server sends, as JSON text. Both dialects' keys stand side by side.

use natter_model::event::{Body, Entry, Signal, SignalBody};
use natter_model::id::{AccountId, MessageId, Position};
use natter_model::timestamp::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::client::Echo;
use crate::kind::FrameKind;
use crate::media;
use crate::problem::{Deed, Problem};
use crate::retry;

/// A frame as a client gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// What it is.
    pub kind: FrameKind,
    /// Its JSON, whose `type` says the same.
    pub text: String,
}

/// What everybody in a conversation is told of an event. `None`: nothing; it ends the conversation, or a part in it.
pub fn event(entry: &Entry) -> Option<Encoded> {
    let actor = &entry.event.actor;
    let (id, name) = (actor.id, actor.username.as_str());
    let at = entry.event.at.to_frame();
    let seq = entry.position;
    let frame = match &entry.event.body {
        Body::Posted { message, content, attachment, .. } => Frame::ChatMessage {
            message_id: message.map_or(seq, Position::from),
            sender: name,
            sender_id: id,
            sender_name: name,
            content,
            attachment: attachment.as_deref().map(media::url),
            timestamp: at,
            seq,
        },
        Body::Read { message } => Frame::ReadReceipt {
            message_id: *message,
            reader: name,
            reader_id: id,
            reader_name: name,
            read_at: at,
            seq,
        },
        Body::Edited { message, content } => Frame::Edit {
            message_id: *message,
            content,
            edited_at: at,
            editor: name,
            editor_id: id,
            editor_name: name,
            seq,
        },
        Body::Deleted { message } => {
            Frame::Delete { message_id: *message, deleter: name, deleter_id: id, deleter_name: name, seq }
        }
        Body::ConversationDeleted | Body::ParticipantRemoved => return None,
    };
    Some(encode(&frame))
}

/// What the others in a conversation are told of a signal.
pub fn signal(signal: &Signal) -> Encoded {
    let SignalBody::Typing { is_typing } = signal.body;
    encode(&Frame::Typing { username: &signal.actor.username, profile_id: signal.actor.id, is_typing })
}

/// What the sender of a message that had a `client_id` is told once the log has it.
pub fn ack(client_id: &str, position: Position, at: Timestamp) -> Encoded {
    encode(&Frame::Ack { client_id, message_id: position, timestamp: at.to_frame() })
}

/// What a client that resumed is told when it has got what it missed.
pub fn caught_up(head: Position) -> Encoded {
    encode(&Frame::CaughtUp { seq: head })
}

/// The answer to a ping.
pub fn pong() -> Encoded {
    encode(&Frame::Pong)
}

/// The answer to a new token.
pub fn authenticated(expires_at: Timestamp) -> Encoded {
    encode(&Frame::Authenticated { expires_at: expires_at.to_frame() })
}

/// The answer to a frame that asked for something that is not done.
pub fn error(deed: Deed, problem: &Problem, echo: &Echo) -> Encoded {
    encode(&Frame::Error {
        message: &problem.text(deed),
        code: problem,
        retry_after_ms: problem.retry_after().map(retry::whole_ms),
        client_id: echo.client_id.as_ref(),
        message_id: echo.message_id.as_ref(),
    })
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Frame<'a> {
    ChatMessage {
        message_id: Position,
        sender: &'a str,
        sender_id: AccountId,
        sender_name: &'a str,
        content: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        attachment: Option<String>,
        timestamp: String,
        seq: Position,
    },
    ReadReceipt {
        message_id: MessageId,
        reader: &'a str,
        reader_id: AccountId,
        reader_name: &'a str,
        read_at: String,
        seq: Position,
    },
    Edit {
        message_id: MessageId,
        content: &'a str,
        edited_at: String,
        editor: &'a str,
        editor_id: AccountId,
        editor_name: &'a str,
        seq: Position,
    },
    Delete {
        message_id: MessageId,
        deleter: &'a str,
        deleter_id: AccountId,
        deleter_name: &'a str,
        seq: Position,
    },
    Typing {
        username: &'a str,
        profile_id: AccountId,
        is_typing: bool,
    },
    Ack {
        client_id: &'a str,
        message_id: Position,
        timestamp: String,
    },
    CaughtUp {
        seq: Position,
    },
    Pong,
    Authenticated {
        expires_at: String,
    },
    Error {
        message: &'a str,
        code: &'a Problem,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id: Option<&'a Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        message_id: Option<&'a Value>,
    },
}

impl Frame<'_> {
    fn kind(&self) -> FrameKind {
        match self {
            Self::ChatMessage { .. } => FrameKind::ChatMessage,
            Self::ReadReceipt { .. } => FrameKind::ReadReceipt,
            Self::Edit { .. } => FrameKind::Edit,
            Self::Delete { .. } => FrameKind::Delete,
            Self::Typing { .. } => FrameKind::Typing,
            Self::Ack { .. } => FrameKind::Ack,
            Self::CaughtUp { .. } => FrameKind::CaughtUp,
            Self::Pong => FrameKind::Pong,
            Self::Authenticated { .. } => FrameKind::Authenticated,
            Self::Error { .. } => FrameKind::Error,
        }
    }
}

fn encode(frame: &Frame<'_>) -> Encoded {
    let text = serde_json::to_string(frame).expect("a frame has text keys only and writes to memory");
    Encoded { kind: frame.kind(), text }
}
