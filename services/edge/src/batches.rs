//! How many bytes of frames the connections hold while they write them, each and all together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::metrics;

/// Shared by all connections. What a room's window has too is counted nevertheless: it may leave the window any time.
#[derive(Debug)]
pub(crate) struct Batches {
    per_connection: usize,
    per_process: usize,
    held: AtomicUsize,
}

impl Batches {
    /// At most so many bytes for each connection. With so many for all of them in use, each is given one frame at a time.
    pub(crate) fn new(per_connection: usize, per_process: usize) -> Arc<Self> {
        Arc::new(Self { per_connection, per_process, held: AtomicUsize::new(0) })
    }

    /// Bytes that one more batch may have; its last frame may go beyond.
    pub(crate) fn room(&self) -> usize {
        let free = self.per_process.saturating_sub(self.held.load(Ordering::Relaxed));
        free.min(self.per_connection).max(1)
    }

    /// Counts a batch until it is written.
    pub(crate) fn hold(self: &Arc<Self>, n_bytes: usize) -> Held {
        self.held.fetch_add(n_bytes, Ordering::Relaxed);
        metrics::batch_bytes_held(n_bytes);
        Held { batches: Arc::clone(self), n_bytes }
    }
}

/// A batch on its way to a client.
#[derive(Debug)]
#[must_use = "dropping it ends the counting"]
pub(crate) struct Held {
    batches: Arc<Batches>,
    n_bytes: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.batches.held.fetch_sub(self.n_bytes, Ordering::Relaxed);
        metrics::batch_bytes_let_go(self.n_bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_shrink_when_all_together_hold_much() {
        let batches = Batches::new(64, 100);
        assert_eq!(batches.room(), 64);
        let first = batches.hold(64);
        assert_eq!(batches.room(), 36);
        let second = batches.hold(36);
        assert_eq!(batches.room(), 1, "one frame is always handed out");
        drop((first, second));
        assert_eq!(batches.room(), 64);
    }
}
