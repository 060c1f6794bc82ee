//! Whether a client lives: it is heard of, or it is slow, or it is gone.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::goodbye::Goodbye;
use crate::metrics;

/// Longest silence of a client that has been told everything: a ping, and 30 seconds for the answer.
const MAX_SILENCE: Duration = Duration::from_secs(55);
/// What a write takes at least that has waited for its client.
const A_WAIT: Duration = Duration::from_secs(1);
/// Time between two looks at a client that is slow.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What one connection knows of its client's life. A client that does not read cannot answer a ping that stands behind
/// what it has not read; so while a write lasts, it is slow, and silence says nothing.
pub(crate) struct Pulse {
    state: Mutex<State>,
    max_slow: Duration,
}

#[derive(Clone, Copy)]
struct State {
    last_sign: Instant,
    writing_since: Option<Instant>,
}

impl Pulse {
    /// The client is there now. A write may wait for it for `max_slow`.
    pub(crate) fn new(max_slow: Duration) -> Self {
        Self { state: Mutex::new(State { last_sign: Instant::now(), writing_since: None }), max_slow }
    }

    /// The client was heard of.
    pub(crate) fn beat(&self) {
        self.state().last_sign = Instant::now();
    }

    /// A write is under way, until this is dropped. That one went through that had to wait for the client to read is a
    /// sign of life.
    pub(crate) fn writing(&self) -> Writing<'_> {
        self.state().writing_since = Some(Instant::now());
        metrics::write_began();
        Writing(self)
    }

    /// When to look again, or that the client does not live, or does not read, any more.
    pub(crate) fn look(&self) -> Result<Instant, Goodbye> {
        let State { last_sign, writing_since } = *self.state();
        let now = Instant::now();
        match writing_since {
            Some(since) if now >= since + self.max_slow => Err(Goodbye::TooSlow),
            Some(since) => Ok((since + self.max_slow).min(now + LOOK_EVERY)),
            None if now >= last_sign + MAX_SILENCE => Err(Goodbye::Silent),
            None => Ok(last_sign + MAX_SILENCE),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No operation leaves it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Pulse::writing`].
pub(crate) struct Writing<'a>(&'a Pulse);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        metrics::write_ended();
        let mut state = self.0.state();
        if state.writing_since.take().is_some_and(|since| since.elapsed() >= A_WAIT) {
            state.last_sign = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Pulse {
        async fn stops(&self) -> Goodbye {
            loop {
                match self.look() {
                    Ok(next) => tokio::time::sleep_until(next).await,
                    Err(goodbye) => return goodbye,
                }
            }
        }
    }

    const MAX_SLOW: Duration = Duration::from_secs(600);

    #[tokio::test(start_paused = true)]
    async fn a_silent_client_is_given_up_and_a_slow_one_much_later() {
        let pulse = Pulse::new(MAX_SLOW);
        let begun = Instant::now();
        assert_eq!(pulse.stops().await, Goodbye::Silent);
        assert_eq!(begun.elapsed(), MAX_SILENCE);

        let begun = Instant::now();
        let writing = pulse.writing();
        assert_eq!(pulse.stops().await, Goodbye::TooSlow);
        assert_eq!(begun.elapsed(), MAX_SLOW);
        drop(writing);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_client_that_reads_on_is_alive() {
        let pulse = Pulse::new(MAX_SLOW);
        let begun = Instant::now();
        let reading = async {
            let writing = pulse.writing();
            tokio::time::sleep(MAX_SLOW - Duration::from_secs(1)).await;
            drop(writing);
        };
        let (goodbye, ()) = tokio::join!(pulse.stops(), reading);
        assert_eq!(goodbye, Goodbye::Silent, "it is heard of no more");
        assert!(begun.elapsed() > MAX_SLOW, "{:?}", begun.elapsed());
    }
}
