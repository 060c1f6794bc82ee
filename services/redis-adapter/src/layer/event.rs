//! What is said in a group: a map with a `type`.

use serde_json::Value;

/// The key that says what a message is.
const TYPE: &str = "type";

/// More keys is no chat event.
pub(crate) const MAX_KEYS: usize = 256;

/// The types that Django's consumer handles. Any other one in a chat's group ends all of its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Somebody posted.
    ChatMessage,
    /// Somebody read a message.
    ReadReceipt,
    /// Somebody types, or no longer does.
    TypingIndicator,
    /// A message has another text.
    MessageEdited,
    /// A message is gone.
    MessageDeleted,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::ChatMessage, Self::ReadReceipt, Self::TypingIndicator, Self::MessageEdited, Self::MessageDeleted];

    /// The word that stands under `type`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChatMessage => "chat_message",
            Self::ReadReceipt => "read_receipt",
            Self::TypingIndicator => "typing_indicator",
            Self::MessageEdited => "message_edited",
            Self::MessageDeleted => "message_deleted",
        }
    }

    /// The kind with this name. Channels takes a dot for an underscore.
    pub fn named(name: &str) -> Option<Self> {
        let name = name.replace('.', "_");
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// An event of a group. Keys that nobody here knows stay, and the order of keys means nothing.
#[derive(Debug, Clone)]
pub struct GroupEvent {
    fields: Vec<(String, Value)>,
}

impl PartialEq for GroupEvent {
    fn eq(&self, other: &Self) -> bool {
        self.fields.len() == other.fields.len() && self.fields.iter().all(|(key, value)| other.get(key) == Some(value))
    }
}

impl GroupEvent {
    /// One of a kind that Django handles, so far without further keys.
    pub fn new(kind: Kind) -> Self {
        Self { fields: vec![(TYPE.to_owned(), kind.name().into())] }
    }

    /// With one more key.
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.set(key.to_owned(), value.into());
        self
    }

    /// One that somebody sent, whatever is in it.
    pub(crate) fn received(fields: impl IntoIterator<Item = (String, Value)>) -> Self {
        let mut event = Self { fields: Vec::new() };
        for (key, value) in fields {
            event.set(key, value);
        }
        event
    }

    /// What it is. `None`: nothing that belongs into a chat's group.
    pub fn kind(&self) -> Option<Kind> {
        self.type_name().and_then(Kind::named)
    }

    /// The text under `type`, if there is one.
    pub fn type_name(&self) -> Option<&str> {
        self.get(TYPE)?.as_str()
    }

    /// The value under a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.fields.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// All keys and values.
    pub fn fields(&self) -> &[(String, Value)] {
        &self.fields
    }

    /// Takes a key out.
    pub(crate) fn take(&mut self, key: &str) -> Option<Value> {
        let place = self.fields.iter().position(|(name, _)| name == key)?;
        Some(self.fields.remove(place).1)
    }

    /// Of equal keys the last one counts, at the place of the first, as in Python.
    pub(crate) fn set(&mut self, key: String, value: Value) {
        match self.fields.iter_mut().find(|(name, _)| *name == key) {
            Some(field) => field.1 = value,
            None => self.fields.push((key, value)),
        }
    }
}

/// An event and the group that it is said in.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupMessage {
    /// Name of the group, such as `chat_7`.
    pub group: String,
    /// What is said.
    pub event: GroupEvent,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_keys_the_last_counts() {
        let event = GroupEvent::received(
            [("type", "a"), ("x", "1"), ("type", "read.receipt")].map(|(key, value)| (key.to_owned(), value.into())),
        );
        assert_eq!(event.kind(), Some(Kind::ReadReceipt));
        assert_eq!(event.fields().len(), 2);
    }

    #[test]
    fn what_django_does_not_handle_is_no_kind() {
        for name in ["websocket.receive", "_private", "", "chat_message2"] {
            assert_eq!(Kind::named(name), None, "{name}");
        }
        assert_eq!(GroupEvent::received([("type".to_owned(), 7.into())]).kind(), None);
    }
}
