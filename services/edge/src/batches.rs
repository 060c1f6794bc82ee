//! How many bytes of frames the connections hold while they write them, each and all together.

use std::sync::Arc;

use crate::budget::{Budget, Held};

/// Shared by all connections. What a room's window has too is counted nevertheless: it may leave the window any time.
pub(crate) struct Batches {
    per_connection: usize,
    of_all: Arc<Budget>,
}

impl Batches {
    /// At most so many bytes for each connection. With the budget of all used up, each is given one frame at a time.
    pub(crate) fn new(per_connection: usize, of_all: Arc<Budget>) -> Arc<Self> {
        Arc::new(Self { per_connection, of_all })
    }

    /// Bytes that one more batch may have; its last frame may go beyond.
    pub(crate) fn room(&self) -> usize {
        self.of_all.free().min(self.per_connection).max(1)
    }

    /// Counts a batch until it is written.
    pub(crate) fn hold(&self, n_bytes: usize) -> Held {
        self.of_all.hold(n_bytes)
    }
}

impl std::fmt::Debug for Batches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batches").field("per_connection", &self.per_connection).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics::Gauge;

    #[test]
    fn batches_shrink_when_all_together_hold_much() {
        let batches = Batches::new(64, Budget::new(100, Gauge::noop()));
        assert_eq!(batches.room(), 64);
        let first = batches.hold(64);
        assert_eq!(batches.room(), 36);
        let second = batches.hold(36);
        assert_eq!(batches.room(), 1, "one frame is always handed out");
        drop((first, second));
        assert_eq!(batches.room(), 64);
    }
}
