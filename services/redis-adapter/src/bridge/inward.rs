//! What a Django consumer said in a group, as a deed at Natter: read strictly, since anybody can write into Redis.

use natter_model::event::{Actor, Body, Event, Origin, Signal, SignalBody};
use natter_model::id::{ConversationId, EventId, MessageId};
use natter_model::text::{self, MAX_CONTENT_CHARS};
use natter_model::timestamp::Timestamp;
use serde_json::Value;

use crate::layer::event::{GroupEvent, GroupMessage, Kind};

/// The longest username of Django, in characters.
const MAX_USERNAME_CHARS: usize = 150;
/// The first microsecond of the year 1 and the last of the year 9999: what Python's `datetime` and every database hold.
const TIMES: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// Something that somebody did at Django.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    /// Where.
    pub conversation: ConversationId,
    /// Who. Their id need not be an account's: in the later dialect it is a profile's.
    pub username: String,
    /// What.
    pub deed: Deed,
}

/// What somebody did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Deed {
    Posted { message: MessageId, content: String, at: Timestamp },
    Edited { message: MessageId, content: String, at: Timestamp },
    Deleted { message: MessageId },
    Read { message: MessageId, at: Timestamp },
    Typing { is_typing: bool },
}

impl Deed {
    /// A short name for traces.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Posted { .. } => "message",
            Self::Edited { .. } => "edit",
            Self::Deleted { .. } => "delete",
            Self::Read { .. } => "read",
            Self::Typing { .. } => "typing",
        }
    }
}

/// Why something that was heard is no deed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Nonsense {
    #[error("its group is none of a conversation")]
    Group,
    #[error("its type is none that Django's consumer handles")]
    Type,
    #[error("{0} is missing or not what it should be")]
    Key(&'static str),
}

impl Nonsense {
    /// A short name for metrics.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Group => "foreign_group",
            Self::Type => "foreign_type",
            Self::Key(_) => "bad_key",
        }
    }
}

/// Reads what was heard.
pub(crate) fn read(message: &GroupMessage) -> Result<Said, Nonsense> {
    let conversation = conversation_of(&message.group).ok_or(Nonsense::Group)?;
    let event = Fields(&message.event);
    let (roles, deed) = match message.event.kind().ok_or(Nonsense::Type)? {
        Kind::ChatMessage => {
            let (message, content, at) = (event.message()?, event.content()?.to_owned(), event.time("timestamp")?);
            (["sender", "sender_name"], Deed::Posted { message, content, at })
        }
        Kind::MessageEdited => {
            let (message, content, at) = (event.message()?, text::strip(event.content()?), event.time("edited_at")?);
            (["editor", "editor_name"], Deed::Edited { message, content: content.to_owned(), at })
        }
        Kind::MessageDeleted => (["deleter", "deleter_name"], Deed::Deleted { message: event.message()? }),
        Kind::ReadReceipt => {
            let (message, at) = (event.message()?, event.time("read_at")?);
            (["reader", "reader_name"], Deed::Read { message, at })
        }
        Kind::TypingIndicator => {
            let is_typing = event.0.get("is_typing").and_then(Value::as_bool).ok_or(Nonsense::Key("is_typing"))?;
            (["username", "username"], Deed::Typing { is_typing })
        }
    };
    Ok(Said { conversation, username: event.name(roles)?.to_owned(), deed })
}

impl Said {
    /// What the log is told of it, once it is known who the user is. `None`: typing is not for the log.
    pub(crate) fn event(&self, actor: Actor) -> Option<Event> {
        let conversation = self.conversation;
        let (id, at, body) = match &self.deed {
            Deed::Posted { message, content, at } => (
                EventId::of_relayed_post(conversation, *message),
                *at,
                Body::Posted { message: Some(*message), content: content.clone(), attachment: None, client_id: None },
            ),
            Deed::Edited { message, content, at } => (
                EventId::of_relayed_edit(conversation, *message, *at),
                *at,
                Body::Edited { message: *message, content: content.clone() },
            ),
            // Django does not say when; the first adapter that hears of it decides.
            Deed::Deleted { message } => (
                EventId::of_relayed_delete(conversation, *message, actor.id),
                Timestamp::now(),
                Body::Deleted { message: *message },
            ),
            Deed::Read { message, at } => {
                (EventId::of_relayed_read(conversation, *message, actor.id, *at), *at, Body::Read { message: *message })
            }
            Deed::Typing { .. } => return None,
        };
        Some(Event { id, conversation, actor, at, origin: Origin::Channels, body })
    }

    /// What those who are there are told of it. `None`: it is for the log.
    pub(crate) fn signal(&self, actor: Actor) -> Option<Signal> {
        let Deed::Typing { is_typing } = self.deed else { return None };
        let body = SignalBody::Typing { is_typing };
        Some(Signal { conversation: self.conversation, actor, origin: Origin::Channels, body })
    }
}

/// The conversation whose group it is. Django makes the name of the digits in the URL, be they canonical or not.
fn conversation_of(group: &str) -> Option<ConversationId> {
    let digits = group.strip_prefix("chat_")?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().and_then(ConversationId::new)
}

struct Fields<'a>(&'a GroupEvent);

impl<'a> Fields<'a> {
    fn message(&self) -> Result<MessageId, Nonsense> {
        self.0.get("message_id").and_then(Value::as_u64).and_then(MessageId::new).ok_or(Nonsense::Key("message_id"))
    }

    /// As edges demand it of their clients.
    fn content(&self) -> Result<&'a str, Nonsense> {
        let is_good = |content: &&str| {
            !content.contains('\0')
                && !text::strip(content).is_empty()
                && content.chars().nth(MAX_CONTENT_CHARS).is_none()
        };
        self.text("content").filter(is_good).ok_or(Nonsense::Key("content"))
    }

    fn time(&self, key: &'static str) -> Result<Timestamp, Nonsense> {
        let time = self.text(key).and_then(Timestamp::of_frame);
        time.filter(|time| TIMES.contains(&time.as_micros())).ok_or(Nonsense::Key(key))
    }

    /// Under the first of these keys that is there.
    fn name(&self, keys: [&'static str; 2]) -> Result<&'a str, Nonsense> {
        let is_good =
            |name: &&str| !name.is_empty() && !name.contains('\0') && name.chars().nth(MAX_USERNAME_CHARS).is_none();
        let key = keys.into_iter().find(|key| self.0.get(key).is_some()).unwrap_or(keys[0]);
        self.text(key).filter(is_good).ok_or(Nonsense::Key(key))
    }

    fn text(&self, key: &str) -> Option<&'a str> {
        self.0.get(key)?.as_str()
    }
}

#[cfg(test)]
mod tests;
