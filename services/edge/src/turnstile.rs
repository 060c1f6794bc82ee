//! Keeps a crowd that comes or goes at once from standing in the way of those who talk.

use tokio::sync::Semaphore;

/// How many pass between two looks at everybody else. Each costs some 100 µs of processor time afterwards, so those who
/// talk wait for a crowd of any size no longer than some milliseconds.
const AT_A_TIME: usize = 8;

/// Arrivals and departures pass it one after the other. Without it thousands that are ready in one moment would all be
/// run before the next message is looked at, at each of its steps through this process.
#[derive(Debug)]
pub(crate) struct Turnstile(Semaphore);

impl Turnstile {
    /// Nobody waits.
    pub(crate) fn new() -> Self {
        Self(Semaphore::new(AT_A_TIME))
    }

    /// Returns at once unless many want to pass; those are let through a few at a time, in the order in which they came, each time
    /// everybody else has had a turn. What is to be done must follow without waiting.
    pub(crate) async fn pass(&self) {
        // It is never closed.
        let _passing = self.0.acquire().await;
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn those_who_talk_have_their_turn_while_a_crowd_passes() {
        const CROWD: usize = 1000;
        let turnstile = Arc::new(Turnstile::new());
        let passed = Arc::new(AtomicUsize::new(0));
        let crowd: Vec<_> = (0..CROWD)
            .map(|_| {
                let (turnstile, passed) = (Arc::clone(&turnstile), Arc::clone(&passed));
                tokio::spawn(async move {
                    turnstile.pass().await;
                    passed.fetch_add(1, Ordering::Relaxed);
                })
            })
            .collect();
        // Each turn of somebody who talks is one round of the runtime.
        let mut before = 0;
        while before < CROWD {
            tokio::task::yield_now().await;
            let now = passed.load(Ordering::Relaxed);
            assert!(now - before <= 2 * AT_A_TIME, "{} passed in one round", now - before);
            before = now;
        }
        for one in crowd {
            one.await.expect("it passes");
        }
    }
}
