//! The events that came before the post they are about, and how a row keeps them.

use std::collections::BTreeMap;

use natter_model::event::Event;
use natter_model::id::{ConversationId, Position};
use natter_proto::record::{DecodeError, decode_event, encode_event};
use prost::Message as _;

/// Events that wait for a message, by position.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waiting(BTreeMap<Position, Event>);

impl Waiting {
    /// Keeps the event, unless one of its position is there. `true`: it was not.
    pub fn insert(&mut self, position: Position, event: &Event) -> bool {
        let is_new = !self.0.contains_key(&position);
        if is_new {
            self.0.insert(position, event.clone());
        }
        is_new
    }

    /// Lets go of the conversation's events below this position. `true`: there were some.
    pub fn forget(&mut self, conversation: ConversationId, below: Position) -> bool {
        let n_before = self.0.len();
        self.0.retain(|position, event| event.conversation != conversation || *position >= below);
        self.0.len() != n_before
    }

    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The highest position of those that wait; [`Position::START`] if none does.
    pub fn last(&self) -> Position {
        self.0.keys().next_back().copied().unwrap_or_default()
    }

    /// By position.
    pub fn iter(&self) -> impl Iterator<Item = (Position, &Event)> {
        self.0.iter().map(|(position, event)| (*position, event))
    }

    /// As a column holds them.
    pub fn encode(&self) -> Vec<u8> {
        let records =
            self.iter().map(|(position, event)| Record { position: position.get(), event: encode_event(event) });
        Records { records: records.collect() }.encode_to_vec()
    }

    /// Out of a column.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let records = Records::decode(bytes)?.records.into_iter();
        let events = records.map(|record| Ok((Position::new(record.position), decode_event(&record.event)?)));
        Ok(Self(events.collect::<Result<_, DecodeError>>()?))
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct Records {
    #[prost(message, repeated, tag = "1")]
    records: Vec<Record>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Record {
    #[prost(uint64, tag = "1")]
    position: u64,
    #[prost(bytes = "vec", tag = "2")]
    event: Vec<u8>,
}
