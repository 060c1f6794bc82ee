//! The ids of things. All but [`EventId`] are integers below 2^53, so that JavaScript holds them exactly.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::timestamp::Timestamp;

/// The largest id there can be: 2^53 - 1.
pub const MAX_ID: u64 = (1 << 53) - 1;

macro_rules! integer_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            /// `None` unless `1 <= id <= MAX_ID`.
            pub const fn new(id: u64) -> Option<Self> {
                if id >= 1 && id <= MAX_ID { Some(Self(id)) } else { None }
            }

            /// The id as a number from 1 to [`MAX_ID`].
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The id as SQL's `bigint`.
            pub const fn as_i64(self) -> i64 {
                self.0 as i64
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl TryFrom<u64> for $name {
            type Error = IdOutOfRange;

            fn try_from(id: u64) -> Result<Self, IdOutOfRange> {
                Self::new(id).ok_or(IdOutOfRange)
            }
        }

        impl TryFrom<i64> for $name {
            type Error = IdOutOfRange;

            fn try_from(id: i64) -> Result<Self, IdOutOfRange> {
                u64::try_from(id).map_err(|_| IdOutOfRange)?.try_into()
            }
        }
    };
}

integer_id!(
    /// Who somebody is.
    AccountId
);
integer_id!(
    /// Where people talk.
    ConversationId
);
integer_id!(
    /// Which message: the log position of its `Posted`, or the id that another system gave it. The latter lie below all
    /// positions of the log.
    MessageId
);

/// A number that cannot be an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id lies between 1 and {MAX_ID}")]
pub struct IdOutOfRange;

/// The idempotency key of an event: the log takes each only once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(Uuid);

impl EventId {
    /// The key of no event: what was put together from rows has it.
    pub const NIL: Self = Self(Uuid::nil());

    /// A new key, UUIDv7 (RFC 9562).
    pub fn fresh() -> Self {
        Self(Uuid::now_v7())
    }

    /// The key of a message that its sender named: the same names give the same key for ever (UUIDv5).
    pub fn of_client_id(conversation: ConversationId, sender: AccountId, client_id: &str) -> Self {
        const NAMESPACE: Uuid = Uuid::from_u128(0x5d2c_1a0e_7f3b_4c59_9a64_6e61_7474_6572);
        let name = format!("{conversation}/{sender}/{client_id}");
        Self(Uuid::new_v5(&NAMESPACE, name.as_bytes()))
    }

    /// The key of the event that a participant was removed, by the change of rights that it was (UUIDv5).
    pub fn of_removal(conversation: ConversationId, account: AccountId, change_id: u64) -> Self {
        const NAMESPACE: Uuid = Uuid::from_u128(0x2f0e_93b7_41c6_4d5a_8b1e_7265_6d6f_7665);
        let name = format!("{conversation}/{account}/{change_id}");
        Self(Uuid::new_v5(&NAMESPACE, name.as_bytes()))
    }

    /// The key of a message that another system posted, by the id that it has there. Like the other keys of what is
    /// relayed it is the same whoever relays it, and however often (UUIDv5).
    pub fn of_relayed_post(conversation: ConversationId, message: MessageId) -> Self {
        Self::of_relayed(&format!("post/{conversation}/{message}"))
    }

    /// The key of an edit that another system took.
    pub fn of_relayed_edit(conversation: ConversationId, message: MessageId, edited_at: Timestamp) -> Self {
        Self::of_relayed(&format!("edit/{conversation}/{message}/{}", edited_at.as_micros()))
    }

    /// The key of a delete that another system took.
    pub fn of_relayed_delete(conversation: ConversationId, message: MessageId, deleter: AccountId) -> Self {
        Self::of_relayed(&format!("delete/{conversation}/{message}/{deleter}"))
    }

    /// The key of a read mark that another system took.
    pub fn of_relayed_read(
        conversation: ConversationId,
        message: MessageId,
        reader: AccountId,
        read_at: Timestamp,
    ) -> Self {
        Self::of_relayed(&format!("read/{conversation}/{message}/{reader}/{}", read_at.as_micros()))
    }

    fn of_relayed(name: &str) -> Self {
        const NAMESPACE: Uuid = Uuid::from_u128(0x9c7e_51d4_0b2a_4f86_b3d9_7265_6c61_7965);
        Self(Uuid::new_v5(&NAMESPACE, name.as_bytes()))
    }

    /// From its 16 bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// Its 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where an event stands in the log. Grows along the whole log, with holes within a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(u64);

impl Position {
    /// Before everything.
    pub const START: Self = Self(0);

    /// The position with this log sequence.
    pub const fn new(sequence: u64) -> Self {
        Self(sequence)
    }

    /// The log sequence.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The position as SQL's `bigint`.
    pub const fn as_i64(self) -> i64 {
        self.0 as i64
    }

    /// The id of the message posted here, unless it was given another one. `None` at [`Position::START`] and beyond [`MAX_ID`].
    pub const fn message_id(self) -> Option<MessageId> {
        MessageId::new(self.0)
    }
}

impl From<MessageId> for Position {
    fn from(id: MessageId) -> Self {
        Self(id.0)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those who relay may be of different versions.
    #[test]
    fn the_keys_of_what_is_relayed_are_the_same_for_ever() {
        let conversation = ConversationId::new(7).expect("in range");
        let (message, account) = (MessageId::new(5).expect("in range"), AccountId::new(2).expect("in range"));
        let at = Timestamp::from_micros(1_000_000);
        let keys = [
            EventId::of_relayed_post(conversation, message),
            EventId::of_relayed_edit(conversation, message, at),
            EventId::of_relayed_delete(conversation, message, account),
            EventId::of_relayed_read(conversation, message, account, at),
        ];
        let expected = [
            "8757e848-b5a6-5c43-8b5d-d585eaab17b3",
            "5e5baf28-19af-5cd8-baa4-e9fca1a52854",
            "4fbc8339-8827-5773-8252-7740a2662443",
            "d94dc5d2-b3bc-5745-aa7a-66ac3d58705e",
        ];
        assert_eq!(keys.map(|key| key.to_string()), expected);
    }
}
