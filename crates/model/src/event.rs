//! What happens in a conversation: events, which the log keeps, and signals, which nobody keeps.

use crate::id::{AccountId, ConversationId, EventId, MessageId, Position};
use crate::timestamp::Timestamp;

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The account.
    pub id: AccountId,
    /// Its username at that moment.
    pub username: String,
}

/// Something that happened in a conversation and is never forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The idempotency key.
    pub id: EventId,
    /// Where it happened.
    pub conversation: ConversationId,
    /// Who did it.
    pub actor: Actor,
    /// When they did it.
    pub at: Timestamp,
    /// Where they did it.
    pub origin: Origin,
    /// What they did.
    pub body: Body,
}

/// Which of the systems that share a conversation heard of something first. It need not be told again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Origin {
    /// An edge of ours.
    #[default]
    Natter,
    /// A Django Channels consumer; it was relayed from the channel layer.
    Channels,
}

/// What an actor did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Said something.
    Posted {
        /// The id that the message has in the system it comes from. `None`: the event's position is its id.
        message: Option<MessageId>,
        /// As typed: relayed like this, stored stripped.
        content: String,
        /// Path of a file below the media root.
        attachment: Option<String>,
        /// The sender's own name for the message.
        client_id: Option<String>,
    },
    /// Changed what a message says. Of no effect unless the actor sent it and it is not deleted.
    Edited {
        /// Which message.
        message: MessageId,
        /// The new content, stripped.
        content: String,
    },
    /// Took a message back. Of no effect unless the actor sent it.
    Deleted {
        /// Which message.
        message: MessageId,
    },
    /// Read a message, and with it all before it.
    Read {
        /// Which message.
        message: MessageId,
    },
    /// Ended the conversation: all that was said in it before is gone.
    ConversationDeleted,
    /// Takes part no longer: the actor is the one who was removed, and is told nothing of what stands behind.
    ParticipantRemoved,
}

/// An event where it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub position: Position,
    /// Where the event before it in the same conversation stands; [`Position::START`] if it is the first.
    pub previous: Position,
    /// What happened.
    pub event: Event,
}

impl Entry {
    /// The id of the message that it posts: the given one, else the position. `None`: it posts none.
    pub fn message_id(&self) -> Option<MessageId> {
        match self.event.body {
            Body::Posted { message: Some(given), .. } => Some(given),
            Body::Posted { message: None, .. } => self.position.message_id(),
            _ => None,
        }
    }
}

/// Something that matters only now, to those who are here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// Where.
    pub conversation: ConversationId,
    /// Who.
    pub actor: Actor,
    /// Where they did it.
    pub origin: Origin,
    /// What.
    pub body: SignalBody,
}

/// What a signal tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalBody {
    /// The actor began or ceased to type.
    Typing {
        /// `true`: began.
        is_typing: bool,
    },
}
