//! Where the log ends, compared with how far it is known to have come.

use std::sync::atomic::{AtomicU64, Ordering};

use natter_model::id::Position;

use crate::port::LogError;

/// Told by the writer, and by those who know better.
pub(super) struct End {
    last: AtomicU64,
    /// The highest position that anybody outside the log has said it was at.
    known: AtomicU64,
}

impl End {
    pub(super) fn new(last: u64) -> Self {
        Self { last: AtomicU64::new(last), known: AtomicU64::new(0) }
    }

    pub(super) fn last(&self) -> Position {
        Position::new(self.last.load(Ordering::Acquire))
    }

    pub(super) fn move_to(&self, last: u64) {
        self.last.store(last, Ordering::Release);
    }

    pub(super) fn expect_at_least(&self, position: Position) {
        self.known.fetch_max(position.get(), Ordering::AcqRel);
    }

    /// Nobody knows of a position behind the end.
    pub(super) fn check(&self) -> Result<(), LogError> {
        let (known, found) = (Position::new(self.known.load(Ordering::Acquire)), self.last());
        if found < known { Err(LogError::WentBackwards { known, found }) } else { Ok(()) }
    }
}
