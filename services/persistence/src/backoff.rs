//! How long to wait before trying again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// Waits that double from one failure to the next, each with jitter, so that replicas do not come back all at once.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { next: FIRST }
    }

    /// It worked: the next failure is the first one again.
    pub(crate) fn reset(&mut self) {
        self.next = FIRST;
    }

    /// Waits between half of the current step and all of it.
    pub(crate) async fn wait(&mut self) {
        let step = self.next;
        self.next = (step * 2).min(LONGEST);
        tokio::time::sleep(rand::random_range(step / 2..=step)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn waits_grow_up_to_a_limit_and_start_over() {
        let mut backoff = Backoff::new();
        for step in [100, 200, 400, 800, 1600, 3200, 5000, 5000] {
            let begun = Instant::now();
            backoff.wait().await;
            let waited = begun.elapsed().as_millis();
            assert!((step / 2..=step + 1).contains(&waited), "{waited} of {step} ms");
        }
        backoff.reset();
        let begun = Instant::now();
        backoff.wait().await;
        assert!(begun.elapsed() <= FIRST + Duration::from_millis(1));
    }
}
