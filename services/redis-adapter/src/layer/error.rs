//! What can go wrong with the channel layer.

use std::fmt;

/// The layer could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// A setting cannot work. Trying again does not help.
    #[error("{0}")]
    Setting(String),
    /// Redis did not answer, or refused. Trying again may help, and does no harm.
    #[error("Redis host {host}: {error}")]
    Redis {
        /// Which of the hosts, counted from 0 in the order of the configuration.
        host: usize,
        /// What the client library says.
        error: redis::RedisError,
    },
    /// Under one of our own keys is something that we did not put there.
    #[error(
        "Redis host {host}: key {key} is not the hash that says how far the log is written; delete it, or set another prefix"
    )]
    Foreign {
        /// Which of the hosts.
        host: usize,
        /// Which key.
        key: String,
    },
    /// The name breaks the rules of Channels.
    #[error("{0:?} is no name of a group that can be joined")]
    Name(String),
}

/// Something on the layer that cannot be read. It is skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Garbage {
    /// The key or channel that it came from.
    pub key: String,
    /// Why it cannot be read.
    pub why: Unreadable,
}

impl fmt::Display for Garbage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.why)
    }
}

/// Why bytes from the layer are no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unreadable {
    /// More bytes than any chat event has.
    #[error("too large")]
    TooLarge,
    /// Nested deeper, or with more keys, than any chat event.
    #[error("too deeply nested, or too many keys")]
    TooDeep,
    /// Fewer bytes than it says.
    #[error("cut short")]
    Truncated,
    /// Something stands behind it.
    #[error("more than one value")]
    Trailing,
    /// Not of the serializer's format.
    #[error("not in the format of the serializer")]
    Malformed,
    /// A value that JSON does not have, or a key that is no text.
    #[error("a key or value that no client could be sent")]
    Unsendable,
    /// A value, but no map.
    #[error("not a map")]
    NotAMap,
    /// Encrypted with none of our keys, changed on the way, or not encrypted.
    #[error("not encrypted with one of the keys")]
    Undecryptable,
    /// Encrypted too long ago, or in the future.
    #[error("encrypted too long ago, or by a clock that is ahead")]
    WrongTime,
    /// It is not said for whom it is.
    #[error("names no channel of this process")]
    NoChannel,
    /// The key is of a type that the layer does not use.
    #[error("a key of the wrong type")]
    WrongType,
}

impl Unreadable {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::TooLarge,
        Self::TooDeep,
        Self::Truncated,
        Self::Trailing,
        Self::Malformed,
        Self::Unsendable,
        Self::NotAMap,
        Self::Undecryptable,
        Self::WrongTime,
        Self::NoChannel,
        Self::WrongType,
    ];

    /// A short name for metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::TooDeep => "too_deep",
            Self::Truncated => "truncated",
            Self::Trailing => "trailing",
            Self::Malformed => "malformed",
            Self::Unsendable => "unsendable",
            Self::NotAMap => "not_a_map",
            Self::Undecryptable => "undecryptable",
            Self::WrongTime => "wrong_time",
            Self::NoChannel => "no_channel",
            Self::WrongType => "wrong_type",
        }
    }
}
