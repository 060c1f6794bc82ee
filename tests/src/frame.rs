//! A frame that a client got.

use std::fmt;
use std::ops::Index;

use serde_json::Value;

/// One JSON text frame from the server.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame(pub Value);

/// How the server ended a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goodbye {
    /// The close code; 1005 if the close frame had none.
    pub code: u16,
    /// The text beside it.
    pub reason: String,
}

impl Frame {
    /// Its `type`.
    pub fn kind(&self) -> &str {
        self["type"].as_str().unwrap_or_default()
    }

    /// The message it is about.
    ///
    /// # Panics
    /// If it is about none.
    pub fn message_id(&self) -> u64 {
        self["message_id"].as_u64().unwrap_or_else(|| panic!("a frame with a message_id, not {self}"))
    }

    /// Where its event stands in the log: what a client resumes after.
    ///
    /// # Panics
    /// If it is no event.
    pub fn seq(&self) -> u64 {
        self["seq"].as_u64().unwrap_or_else(|| panic!("a frame with a seq, not {self}"))
    }

    /// What a Django of the seed dialect tells of the same event: fewer keys.
    ///
    /// # Panics
    /// If it tells of no event.
    pub fn essence(&self) -> Self {
        let keys: &[&str] = match self.kind() {
            "chat_message" => &["type", "message_id", "sender", "content", "timestamp"],
            "read_receipt" => &["type", "message_id", "reader", "read_at"],
            "typing" => &["type", "username", "is_typing"],
            "edit" => &["type", "message_id", "content", "edited_at", "editor"],
            "delete" => &["type", "message_id", "deleter"],
            _ => panic!("no event: {self}"),
        };
        let known = keys.iter().filter_map(|&key| Some((key.to_owned(), self.0.get(key)?.clone())));
        Self(known.collect())
    }

    /// A text of it; empty if there is none.
    pub fn text(&self, key: &str) -> &str {
        self[key].as_str().unwrap_or_default()
    }
}

impl Index<&str> for Frame {
    type Output = Value;

    fn index(&self, key: &str) -> &Value {
        &self.0[key]
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
