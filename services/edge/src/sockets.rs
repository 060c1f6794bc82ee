//! The open sockets: how many there may be, and how they leave when the edge drains.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::config::EdgeConfig;
use crate::metrics::{self, Present};
use crate::pulse::Pulse;
use crate::turnstile::Turnstile;

/// Time over which a drain spreads, per open socket, up to the whole spread.
const DRAIN_PER_SOCKET: Duration = Duration::from_millis(10);
/// Sockets beyond the limit that are accepted for as long as it takes to tell them.
const MAX_REFUSALS: usize = 1000;

/// Counts the sockets. Cheap to clone; all clones count together.
#[derive(Debug, Clone)]
pub(crate) struct Sockets(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    tracker: TaskTracker,
    max: usize,
    drain: CancellationToken,
    spread: Duration,
    max_slow: Duration,
    crowd: Crowd,
    turnstile: Turnstile,
    runtime: Handle,
}

/// When there are so many that new clients should go elsewhere.
#[derive(Debug)]
struct Crowd {
    is_crowded: watch::Sender<bool>,
    from: usize,
    until_below: usize,
}

/// One socket among them, from before its handshake until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    sockets: Arc<Shared>,
    _counted: TaskTrackerToken,
    /// `None`: it is only there to be told that there are too many.
    present: Option<Present>,
}

impl Sockets {
    /// None yet. They will run where this is called. They are told to leave once `drain` is cancelled. `is_crowded` is told whether there is little room.
    pub(crate) fn new(config: &EdgeConfig, drain: CancellationToken, is_crowded: watch::Sender<bool>) -> Self {
        let max = config.max_connections;
        let from = (max * usize::from(config.crowded_percent)).div_ceil(100);
        Self(Arc::new(Shared {
            tracker: TaskTracker::new(),
            max,
            drain,
            spread: config.drain_spread(),
            max_slow: config.slow(),
            crowd: Crowd { is_crowded, from, until_below: from.saturating_sub(max / 20) },
            turnstile: Turnstile::new(),
            runtime: Handle::current(),
        }))
    }

    /// Counts one more. `None`: there are so many that this one must not even get a handshake.
    pub(crate) fn enter(&self) -> Option<Place> {
        let counted = self.0.tracker.token();
        let n_sockets = self.0.tracker.len();
        self.0.crowd.grows(n_sockets);
        (n_sockets <= self.0.max + MAX_REFUSALS).then(|| Place {
            sockets: Arc::clone(&self.0),
            _counted: counted,
            present: (n_sockets <= self.0.max).then(metrics::connection),
        })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.tracker.len()
    }

    /// Resolves when there are none any more.
    pub(crate) async fn gone(&self) {
        self.0.tracker.close();
        self.0.tracker.wait().await;
    }
}

impl Place {
    /// Is it only there to be told that there are too many?
    pub(crate) fn is_over_limit(&self) -> bool {
        self.present.is_none()
    }

    /// Where its task is to run.
    pub(crate) fn spawner(&self) -> Handle {
        self.sockets.runtime.clone()
    }

    /// Waits for its turn among those who come and go at this moment.
    pub(crate) async fn turn(&self) {
        self.sockets.turnstile.pass().await;
    }

    /// The pulse of its client.
    pub(crate) fn pulse(&self) -> Pulse {
        Pulse::new(self.sockets.max_slow)
    }

    /// Resolves some time after the drain began: each socket at a random moment of the spread, so that their clients
    /// do not all reconnect at once.
    pub(crate) async fn told_to_leave(&self) {
        self.sockets.drain.cancelled().await;
        let n_sockets = u32::try_from(self.sockets.tracker.len()).unwrap_or(u32::MAX);
        let spread = self.sockets.spread.min(DRAIN_PER_SOCKET.saturating_mul(n_sockets));
        // Boxed, because it is needed once and would be kept by each connection all the time.
        Box::pin(tokio::time::sleep(spread.mul_f64(rand::random()))).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // It is counted itself until the end of this.
        self.sockets.crowd.shrinks(self.sockets.tracker.len() - 1);
    }
}

impl Crowd {
    fn grows(&self, n_sockets: usize) {
        if n_sockets >= self.from {
            self.tell(true);
        }
    }

    fn shrinks(&self, n_sockets: usize) {
        if n_sockets < self.until_below {
            self.tell(false);
        }
    }

    fn tell(&self, now: bool) {
        self.is_crowded.send_if_modified(|is_crowded| std::mem::replace(is_crowded, now) != now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn places_are_limited_and_come_back() {
        let config = EdgeConfig { max_connections: 2, ..EdgeConfig::default() };
        let drain = CancellationToken::new();
        let sockets = Sockets::new(&config, drain.clone(), watch::Sender::new(false));
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

    #[tokio::test]
    async fn it_is_told_before_there_are_too_many_and_when_there_is_room_again() {
        let config = EdgeConfig { max_connections: 100, ..EdgeConfig::default() };
        let is_crowded = watch::Sender::new(false);
        let sockets = Sockets::new(&config, CancellationToken::new(), is_crowded.clone());
        let mut places: Vec<_> = (0..89).map(|_| sockets.enter()).collect();
        assert!(!*is_crowded.borrow());
        places.push(sockets.enter());
        assert!(*is_crowded.borrow());
        places.truncate(85);
        assert!(*is_crowded.borrow(), "not at the first that leaves");
        places.truncate(84);
        assert!(!*is_crowded.borrow());
    }
}
