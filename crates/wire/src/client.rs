//! The frames that clients send.

use std::fmt;

use natter_model::id::MessageId;
use natter_model::text::{MAX_CONTENT_CHARS, strip};
use serde_json::{Map, Value};

use crate::problem::{Deed, Problem};
use crate::python;

/// The longest `client_id`, in code points.
pub const MAX_CLIENT_ID_CHARS: usize = 64;

/// A text frame, understood as far as it can be.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientFrame {
    /// What it asks for.
    pub deed: Deed,
    /// What an error that answers it repeats, so that the client can tell which frame it answers.
    pub echo: Echo,
    /// The question, or why it is none.
    pub request: Result<Request, Problem>,
}

/// The names that a frame gave, as it gave them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Echo {
    /// Its `client_id`, if that is a short text.
    pub client_id: Option<Value>,
    /// Its `message_id`, if that is a number or a short text.
    pub message_id: Option<Value>,
}

/// What a client wants, checked as far as it can be without looking anything up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Say this.
    Message {
        /// As typed.
        content: String,
        /// The client's own name for it, 1 to 64 characters.
        client_id: Option<String>,
    },
    /// Mark this message as read.
    Read {
        /// Which.
        message: MessageId,
    },
    /// Tell the others.
    Typing {
        /// Begins, or ceases.
        is_typing: bool,
    },
    /// Change what this message says.
    Edit {
        /// Which.
        message: MessageId,
        /// Stripped.
        content: String,
    },
    /// Take this message back.
    Delete {
        /// Which.
        message: MessageId,
    },
    /// Answer.
    Ping,
    /// Go on with this access token.
    Auth {
        /// The token.
        token: BearerToken,
    },
}

impl Request {
    /// What it is called in metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Message { .. } => "message",
            Self::Read { .. } => "read",
            Self::Typing { .. } => "typing",
            Self::Edit { .. } => "edit",
            Self::Delete { .. } => "delete",
            Self::Ping => "ping",
            Self::Auth { .. } => "auth",
        }
    }
}

/// A token, which no log shows.
#[derive(Clone, PartialEq, Eq)]
pub struct BearerToken(String);

impl BearerToken {
    /// The token itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[token]")
    }
}

/// Reads a text frame. Never fails: what is wrong with the frame is in it.
pub fn read(text: &str) -> ClientFrame {
    let refused = |problem| ClientFrame { deed: Deed::Message, echo: Echo::default(), request: Err(problem) };
    match serde_json::from_str(text) {
        Ok(Value::Object(members)) => read_members(&members),
        Ok(_) => refused(Problem::NotAnObject),
        Err(_) => refused(Problem::InvalidJson),
    }
}

fn read_members(members: &Map<String, Value>) -> ClientFrame {
    let deed = match members.get("type").and_then(Value::as_str) {
        None | Some("message" | "chat_message") => Ok(Deed::Message),
        Some("read") => Ok(Deed::Read),
        Some("typing") => Ok(Deed::Typing),
        Some("edit") => Ok(Deed::Edit),
        Some("delete") => Ok(Deed::Delete),
        Some("ping") => Ok(Deed::Ping),
        Some("auth") => Ok(Deed::Auth),
        Some(_) => Err(Problem::UnknownType),
    };
    let request = match &deed {
        Ok(Deed::Message) => message(members),
        Ok(Deed::Read) => existing(members).map(|message| Request::Read { message }),
        Ok(Deed::Typing) => typing(members),
        Ok(Deed::Edit) => edit(members),
        Ok(Deed::Delete) => existing(members).map(|message| Request::Delete { message }),
        Ok(Deed::Ping) => Ok(Request::Ping),
        Ok(Deed::Auth) => auth(members),
        Err(problem) => Err(problem.clone()),
    };
    let echo = Echo { client_id: echoed(members, "client_id"), message_id: echoed(members, "message_id") };
    ClientFrame { deed: deed.unwrap_or(Deed::Message), echo, request }
}

fn message(members: &Map<String, Value>) -> Result<Request, Problem> {
    let content = required(members, "content").ok_or(Problem::ContentRequired)?;
    let content = content.as_str().ok_or(Problem::ContentNotText)?;
    checked(content)?;
    let client_id = client_id(members)?;
    Ok(Request::Message { content: content.to_owned(), client_id })
}

fn edit(members: &Map<String, Value>) -> Result<Request, Problem> {
    let message = message_id(members)?;
    let content = required(members, "content").or_else(|| required(members, "new_content"));
    let content = content.ok_or(Problem::ContentRequired)?.as_str().ok_or(Problem::ContentNotText)?;
    checked(content)?;
    // Last, because an id that cannot exist counts as looked up and not found.
    Ok(Request::Edit { message: known(&message)?, content: strip(content).to_owned() })
}

fn typing(members: &Map<String, Value>) -> Result<Request, Problem> {
    match members.get("is_typing") {
        None => Ok(Request::Typing { is_typing: false }),
        Some(Value::Bool(is_typing)) => Ok(Request::Typing { is_typing: *is_typing }),
        Some(_) => Err(Problem::InvalidIsTyping),
    }
}

fn auth(members: &Map<String, Value>) -> Result<Request, Problem> {
    let token = required(members, "token").and_then(Value::as_str).ok_or(Problem::TokenRequired)?;
    Ok(Request::Auth { token: BearerToken(token.to_owned()) })
}

fn checked(content: &str) -> Result<(), Problem> {
    if strip(content).is_empty() {
        Err(Problem::ContentBlank)
    } else if content.chars().count() > MAX_CONTENT_CHARS {
        Err(Problem::ContentTooLong)
    } else {
        Ok(())
    }
}

fn message_id(members: &Map<String, Value>) -> Result<python::Int, Problem> {
    let id = required(members, "message_id").ok_or(Problem::MessageIdRequired)?;
    python::int(id).map_err(|_| Problem::InvalidMessageId)
}

fn existing(members: &Map<String, Value>) -> Result<MessageId, Problem> {
    known(&message_id(members)?)
}

fn known(id: &python::Int) -> Result<MessageId, Problem> {
    id.to_u64().and_then(MessageId::new).ok_or_else(|| Problem::MessageNotFound(id.to_string()))
}

fn client_id(members: &Map<String, Value>) -> Result<Option<String>, Problem> {
    match members.get("client_id") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(id)) if !id.is_empty() && is_short(id) && !id.contains('\0') => Ok(Some(id.clone())),
        Some(_) => Err(Problem::InvalidClientId),
    }
}

fn required<'a>(members: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    members.get(key).filter(|value| python::truthy(value))
}

fn echoed(members: &Map<String, Value>, key: &str) -> Option<Value> {
    let value = members.get(key)?;
    let short = match value {
        Value::String(text) => is_short(text),
        other => other.is_number(),
    };
    short.then(|| value.clone())
}

fn is_short(text: &str) -> bool {
    text.chars().nth(MAX_CLIENT_ID_CHARS).is_none()
}
