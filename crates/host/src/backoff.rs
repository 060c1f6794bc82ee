//! How long to wait before trying again.

use std::time::Duration;

/// Waits that double from one failure to the next, each with jitter, so that replicas do not come back all at once.
#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    /// Waits that grow from `first` to `longest`.
    pub fn between(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// It worked: the next failure is the first one again.
    pub fn reset(&mut self) {
        self.next = self.first;
    }

    /// Nothing has been waited for since it last worked: the time to tell of a failure, once.
    pub fn is_fresh(&self) -> bool {
        self.next == self.first
    }

    /// Waits between half of the current step and all of it.
    pub async fn wait(&mut self) {
        let step = self.next;
        self.next = (step * 2).min(self.longest);
        tokio::time::sleep(rand::random_range(step / 2..=step)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    const FIRST: Duration = Duration::from_millis(100);

    #[tokio::test(start_paused = true)]
    async fn waits_grow_up_to_a_limit_and_start_over() {
        let mut backoff = Backoff::between(FIRST, Duration::from_secs(5));
        for step in [100, 200, 400, 800, 1600, 3200, 5000, 5000] {
            assert_eq!(backoff.is_fresh(), step == 100);
            let begun = Instant::now();
            backoff.wait().await;
            let waited = begun.elapsed().as_millis();
            assert!((step / 2..=step + 1).contains(&waited), "{waited} of {step} ms");
        }
        backoff.reset();
        assert!(backoff.is_fresh());
        let begun = Instant::now();
        backoff.wait().await;
        assert!(begun.elapsed() <= FIRST + Duration::from_millis(1));
    }
}
