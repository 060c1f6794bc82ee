//! Leaves somebody alone who does not answer, and asks again from time to time whether they do.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Closed as long as there are answers; open after there was none, and then one question at a time goes through.
#[derive(Debug)]
pub(crate) struct Breaker {
    left_alone: Duration,
    open_until: Mutex<Option<Instant>>,
}

impl Breaker {
    /// Closed. Once open, a question goes through each time this time has passed.
    pub(crate) fn new(left_alone: Duration) -> Self {
        Self { left_alone, open_until: Mutex::new(None) }
    }

    /// May this question be asked? Whoever gets a yes tells how it went, or does not ask after all.
    pub(crate) fn lets_through(&self) -> bool {
        let mut open_until = self.open_until();
        match *open_until {
            None => true,
            Some(until) if Instant::now() < until => false,
            Some(_) => {
                // This one tries; the others wait for what comes of it.
                *open_until = Some(Instant::now() + self.left_alone);
                true
            }
        }
    }

    /// There was an answer.
    pub(crate) fn close(&self) {
        *self.open_until() = None;
    }

    /// There was none.
    pub(crate) fn open(&self) {
        *self.open_until() = Some(Instant::now() + self.left_alone);
    }

    fn open_until(&self) -> MutexGuard<'_, Option<Instant>> {
        // Replaced as a whole.
        self.open_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALONE: Duration = Duration::from_secs(2);

    #[tokio::test(start_paused = true)]
    async fn one_question_at_a_time_goes_through_until_there_is_an_answer() {
        let breaker = Breaker::new(ALONE);
        assert!(breaker.lets_through() && breaker.lets_through());
        breaker.open();
        for _ in 0..2 {
            assert!(!breaker.lets_through());
            tokio::time::advance(ALONE).await;
            assert!(breaker.lets_through(), "one tries");
            assert!(!breaker.lets_through(), "the others wait for it");
        }
        breaker.close();
        assert!(breaker.lets_through() && breaker.lets_through());
    }
}
