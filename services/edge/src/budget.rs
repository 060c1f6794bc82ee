//! A number of bytes that many hold parts of, and may exceed for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use metrics::Gauge;

/// Counts what is held, and shows it.
pub(crate) struct Budget {
    limit: usize,
    held: AtomicUsize,
    shown: Gauge,
}

impl Budget {
    /// So many bytes for all together.
    pub(crate) fn new(limit: usize, shown: Gauge) -> Arc<Self> {
        Arc::new(Self { limit, held: AtomicUsize::new(0), shown })
    }

    /// What is left of it.
    pub(crate) fn free(&self) -> usize {
        self.limit.saturating_sub(self.held.load(Ordering::Relaxed))
    }

    /// Is nothing left of it?
    pub(crate) fn is_used_up(&self) -> bool {
        self.free() == 0
    }

    /// Counts so many bytes until they are let go, whether they are left or not.
    pub(crate) fn hold(self: &Arc<Self>, n_bytes: usize) -> Held {
        let mut held = Held { budget: Arc::clone(self), n_bytes: 0 };
        held.take(n_bytes);
        held
    }
}

/// Somebody's part of a budget.
#[must_use = "dropping it ends the counting"]
pub(crate) struct Held {
    budget: Arc<Budget>,
    n_bytes: usize,
}

impl Held {
    /// How large it is.
    pub(crate) fn n_bytes(&self) -> usize {
        self.n_bytes
    }

    /// What it is a part of.
    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// So many bytes more.
    pub(crate) fn take(&mut self, n_bytes: usize) {
        self.n_bytes += n_bytes;
        self.budget.held.fetch_add(n_bytes, Ordering::Relaxed);
        self.budget.shown.increment(n_bytes as f64);
    }

    /// So many bytes less; all of them if it holds fewer.
    pub(crate) fn give_back(&mut self, n_bytes: usize) {
        let n_bytes = n_bytes.min(self.n_bytes);
        self.n_bytes -= n_bytes;
        self.budget.held.fetch_sub(n_bytes, Ordering::Relaxed);
        self.budget.shown.decrement(n_bytes as f64);
    }
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").field("n_bytes", &self.n_bytes).finish_non_exhaustive()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.give_back(self.n_bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_free_again() {
        let budget = Budget::new(100, Gauge::noop());
        let mut first = budget.hold(60);
        let second = budget.hold(60);
        assert!(budget.is_used_up());
        first.give_back(50);
        assert_eq!((budget.free(), first.n_bytes()), (30, 10));
        drop(second);
        first.give_back(11);
        assert_eq!((budget.free(), first.n_bytes()), (100, 0));
    }
}
