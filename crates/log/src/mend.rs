//! The log from the side of those who mend it after it lost its tail.

use async_trait::async_trait;
use natter_model::event::Event;
use natter_model::id::Position;
use natter_proto::record;

use crate::port::{Log, LogError};

/// What is put where something was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Substitute {
    /// What stood there, as far as it is known.
    Event(Event),
    /// Nothing: the position only must not be used again.
    Filler,
}

impl Substitute {
    /// As a record of the log.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Event(event) => record::encode_event(event),
            Self::Filler => record::encode_filler(),
        }
    }
}

/// A log whose next positions can be chosen, or rather: insisted on.
#[async_trait]
pub trait Mend: Log {
    /// Puts these behind `last`, each behind the one before, also while the log went backwards and whether or not it
    /// remembers their ids. Answers of each whether it is durable exactly there. If one is not, it is nowhere: the log did
    /// not end where it had to, or somebody else came before. Ask for [`Log::last`] and go on from there.
    async fn put_back(&self, last: Position, substitutes: &[Substitute]) -> Result<Vec<bool>, LogError>;
}
