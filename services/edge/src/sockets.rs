//! The open sockets: how many there may be, and how they leave when the edge drains.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::config::EdgeConfig;

/// Time over which a drain spreads, per open socket, up to the whole spread.
const DRAIN_PER_SOCKET: Duration = Duration::from_millis(10);
/// Sockets beyond the limit that are accepted for as long as it takes to tell them.
const MAX_REFUSALS: usize = 1000;

/// Counts the sockets. Cheap to clone; all clones count together.
#[derive(Debug, Clone)]
pub(crate) struct Sockets {
    tracker: TaskTracker,
    max: usize,
    drain: CancellationToken,
    spread: Duration,
}

/// One socket among them, from before its handshake until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    counted: TaskTrackerToken,
    drain: CancellationToken,
    spread: Duration,
    is_over_limit: bool,
}

impl Sockets {
    /// None yet. They are told to leave once `drain` is cancelled.
    pub(crate) fn new(config: &EdgeConfig, drain: CancellationToken) -> Self {
        Self { tracker: TaskTracker::new(), max: config.max_connections, drain, spread: config.drain_spread() }
    }

    /// Counts one more. `None`: there are so many that this one must not even get a handshake.
    pub(crate) fn enter(&self) -> Option<Place> {
        let counted = self.tracker.token();
        let n_sockets = self.tracker.len();
        (n_sockets <= self.max + MAX_REFUSALS).then(|| Place {
            counted,
            drain: self.drain.clone(),
            spread: self.spread,
            is_over_limit: n_sockets > self.max,
        })
    }

    /// Resolves when there are none any more.
    pub(crate) async fn gone(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}

impl Place {
    /// Is it only there to be told that there are too many?
    pub(crate) fn is_over_limit(&self) -> bool {
        self.is_over_limit
    }

    /// Resolves some time after the drain began: each socket at a random moment of the spread, so that their clients
    /// do not all reconnect at once.
    pub(crate) async fn told_to_leave(&self) {
        self.drain.cancelled().await;
        let n_sockets = u32::try_from(self.counted.task_tracker().len()).unwrap_or(u32::MAX);
        let spread = self.spread.min(DRAIN_PER_SOCKET.saturating_mul(n_sockets));
        // Boxed, because it is needed once and would be kept by each connection all the time.
        Box::pin(tokio::time::sleep(spread.mul_f64(rand::random()))).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn places_are_limited_and_come_back() {
        let config = EdgeConfig { max_connections: 2, ..EdgeConfig::default() };
        let drain = CancellationToken::new();
        let sockets = Sockets::new(&config, drain.clone());
        let first = sockets.enter().expect("the first place");
        let second = sockets.enter().expect("the second place");
        assert!(!second.is_over_limit());
        let over: Vec<_> = std::iter::from_fn(|| sockets.enter()).collect();
        assert!(over.len() == MAX_REFUSALS && over.iter().all(Place::is_over_limit));
        drop((over, first));
        let third = sockets.enter().expect("a place was given back");
        assert!(!third.is_over_limit());
        drain.cancel();
        tokio::join!(second.told_to_leave(), third.told_to_leave());
        drop((second, third));
        sockets.gone().await;
    }
}
