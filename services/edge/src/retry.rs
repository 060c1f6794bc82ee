//! When clients are told to try again. With jitter: those who were refused together shall not come back together.

use std::ops::RangeInclusive;
use std::time::Duration;

/// After something was unavailable. Longer than the log takes to elect a leader, as a rule.
const UNAVAILABLE_MS: RangeInclusive<u64> = 1000..=3000;
/// After this edge was left because it ends. Others are there already, and the leaving is spread out itself.
const DRAINING_MS: RangeInclusive<u64> = 100..=2000;
/// After this edge was full. Others may not be, or somebody leaves.
const FULL_MS: RangeInclusive<u64> = 2000..=10_000;

/// Something at the server did not answer.
pub(crate) fn when_unavailable() -> Duration {
    some_ms(UNAVAILABLE_MS)
}

/// This edge ends.
pub(crate) fn when_draining() -> Duration {
    some_ms(DRAINING_MS)
}

/// This edge is full.
pub(crate) fn when_full() -> Duration {
    some_ms(FULL_MS)
}

/// As HTTP's `Retry-After` tells it: in whole seconds, never sooner.
pub(crate) fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

fn some_ms(range: RangeInclusive<u64>) -> Duration {
    Duration::from_millis(rand::random_range(range))
}
