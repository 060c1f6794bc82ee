//! Where the store differs from the log.

use std::collections::BTreeSet;
use std::fmt;

use natter_model::id::{MessageId, Position};

/// Differences that are told one by one, of those that remain and of those that are mended.
const SHOWN: usize = 20;

/// One place where the store is not as the log says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Difference {
    /// A message that the store has not.
    MissingMessage(MessageId),
    /// A message that has not taken in everything.
    Behind(MessageId),
    /// A message that is not what its events add up to.
    Altered(MessageId, Vec<&'static str>),
    /// A message that the log has not.
    StrangeMessage(MessageId),
    /// A read mark that has not moved.
    MissingMark(Position),
    /// A read mark of which the log knows nothing.
    StrangeMark(Position),
    /// A conversation that was not ended.
    MissingErasure(Position),
    /// A conversation that was ended without the log knowing.
    StrangeErasure(Position),
    /// A record that no row can be made of, and that was not kept either.
    NotQuarantined(Position),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingMessage(id) => write!(f, "message {id} is not in the store"),
            Self::Behind(id) => write!(f, "message {id} lacks a later event"),
            Self::Altered(id, fields) => write!(f, "message {id} differs in {}", fields.join(", ")),
            Self::StrangeMessage(id) => write!(f, "message {id} is in the store, but the log holds no such post"),
            Self::MissingMark(at) => write!(f, "the read mark of the event at {at} is not in the store"),
            Self::StrangeMark(at) => write!(f, "a read mark says that it was moved at {at}, but the log does not"),
            Self::MissingErasure(at) => write!(f, "the end of a conversation at {at} is not in the store"),
            Self::StrangeErasure(at) => write!(f, "a conversation is ended at {at} in the store, but not in the log"),
            Self::NotQuarantined(at) => write!(f, "the record at {at} is of no use, and not in quarantine"),
        }
    }
}

/// All of them, and what was looked at.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) n_events: u64,
    pub(super) n_rows: u64,
    pub(super) n_fillers: u64,
    pub(super) n_unusable: u64,
    remaining: Told,
    mended: Told,
}

#[derive(Debug, Default)]
struct Told {
    first: BTreeSet<Difference>,
    n: u64,
}

impl Told {
    fn add(&mut self, difference: Difference) {
        if self.first.contains(&difference) {
            return;
        }
        self.n += 1;
        if self.first.len() < SHOWN {
            self.first.insert(difference);
        }
    }
}

impl Findings {
    pub(super) fn remains(&mut self, difference: Difference) {
        self.remaining.add(difference);
    }

    pub(super) fn is_mended(&mut self, difference: Difference) {
        self.mended.add(difference);
    }

    pub(super) fn n_remaining(&self) -> u64 {
        self.remaining.n
    }

    pub(super) fn say(&self) {
        let Self { n_events, n_rows, n_fillers, n_unusable, remaining, mended } = self;
        println!("Events applied: {n_events}. Messages compared as a whole: {n_rows}.");
        println!("Records of no use: {n_unusable}. Fillers: {n_fillers}.");
        println!("Differences: {}. Mended: {}.", remaining.n, mended.n);
        for (told, what) in [(mended, "Mended"), (remaining, "Differs")] {
            for difference in &told.first {
                println!("{what}: {difference}.");
            }
            if told.n > told.first.len() as u64 {
                println!("{what}: and {} more.", told.n - told.first.len() as u64);
            }
        }
    }
}
