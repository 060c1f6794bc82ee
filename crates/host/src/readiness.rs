//! What a program still waits for before it can do its work.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::metrics;

/// Time between two checks of what is waited for.
const RETRY: Duration = Duration::from_millis(500);
/// Time between two checks of what was there.
const RECHECK: Duration = Duration::from_secs(2);
/// Longest that one check may take.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// What a program waits for, by name, and why. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Readiness {
    waiting: watch::Sender<Waiting>,
    drain: CancellationToken,
}

/// What is waited for: name and reason.
pub type Waiting = BTreeMap<&'static str, String>;

impl Readiness {
    /// Waits for each of `needs` until [`Readiness::ready`] is told of it. Never ready once `drain` is cancelled.
    pub fn new(needs: &[&'static str], drain: CancellationToken) -> Self {
        needs.iter().for_each(|need| metrics::waiting_for(need, true));
        let waiting = needs.iter().map(|need| (*need, "not reached yet".to_owned())).collect();
        Self { waiting: watch::Sender::new(waiting), drain }
    }

    /// This need is not met. Logged once per reason.
    pub fn waiting(&self, need: &'static str, why: impl Display) {
        let why = why.to_string();
        let changed = self.waiting.send_if_modified(|waiting| {
            let new = waiting.get(need) != Some(&why);
            if new {
                waiting.insert(need, why.clone());
            }
            new
        });
        if changed {
            metrics::waiting_for(need, true);
            warn!(need, why, "waiting");
        }
    }

    /// This need is met. Logged once.
    pub fn ready(&self, need: &'static str) {
        if self.waiting.send_if_modified(|waiting| waiting.remove(need).is_some()) {
            metrics::waiting_for(need, false);
            info!(need, "there");
        }
    }

    /// Can the program do its work?
    pub fn is_ready(&self) -> bool {
        !self.drain.is_cancelled() && self.waiting.borrow().is_empty()
    }

    /// What is waited for; draining counts as such.
    pub fn waiting_for(&self) -> Waiting {
        let mut waiting = self.waiting.borrow().clone();
        if self.drain.is_cancelled() {
            waiting.insert("drain", "the program is ending".to_owned());
        }
        waiting
    }

    /// Whether the program is ready, as it changes.
    pub fn changes(&self) -> Changes {
        let mut waiting = self.waiting.subscribe();
        waiting.mark_changed();
        Changes { waiting, drain: self.drain.clone() }
    }

    /// Checks this need again and again, until the program drains: for what it can do nothing without.
    pub async fn watch<C, E>(&self, need: &'static str, check: impl Fn() -> C)
    where
        C: Future<Output = Result<(), E>>,
        E: Display,
    {
        while let Some(is_met) = self.check(need, check()).await {
            self.pause(if is_met { RECHECK } else { RETRY }).await;
        }
    }

    /// Checks this need until it is met for the first time, or the program drains: for what it needs to begin, but can
    /// do without for a while. Otherwise one service that is away would take all those in front of it out of service.
    pub async fn wait_for<C, E>(&self, need: &'static str, check: impl Fn() -> C)
    where
        C: Future<Output = Result<(), E>>,
        E: Display,
    {
        while self.check(need, check()).await == Some(false) {
            self.pause(RETRY).await;
        }
    }

    /// Follows what is told of this need until the program drains or nobody tells any more. While `is_not_met`, it says
    /// `why`.
    pub async fn follow(&self, need: &'static str, mut is_not_met: watch::Receiver<bool>, why: &str) {
        loop {
            if *is_not_met.borrow_and_update() {
                self.waiting(need, why);
            } else {
                self.ready(need);
            }
            let Some(Ok(())) = self.drain.run_until_cancelled(is_not_met.changed()).await else { return };
        }
    }

    /// Whether the need is met. `None`: the program drains.
    async fn check<E: Display>(&self, need: &'static str, check: impl Future<Output = Result<(), E>>) -> Option<bool> {
        let outcome = self.drain.run_until_cancelled(time::timeout(CHECK_TIMEOUT, check)).await?;
        match outcome {
            Ok(Ok(())) => {
                self.ready(need);
                return Some(true);
            }
            Ok(Err(error)) => self.waiting(need, error),
            Err(_) => self.waiting(need, "no answer"),
        }
        Some(false)
    }

    async fn pause(&self, pause: Duration) {
        self.drain.run_until_cancelled(time::sleep(pause)).await;
    }
}

/// See [`Readiness::changes`].
#[derive(Debug)]
pub struct Changes {
    waiting: watch::Receiver<Waiting>,
    drain: CancellationToken,
}

impl Changes {
    /// Whether the program is ready: at once, then after each change. `None` once it drains.
    pub async fn next(&mut self) -> Option<bool> {
        self.drain.run_until_cancelled(self.waiting.changed()).await?.ok()?;
        Some(self.waiting.borrow_and_update().is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_when_all_needs_are_met_and_not_draining() {
        let drain = CancellationToken::new();
        let readiness = Readiness::new(&["nats", "store"], drain.clone());
        readiness.ready("nats");
        assert!(!readiness.is_ready());
        readiness.ready("store");
        assert!(readiness.is_ready());
        readiness.waiting("nats", "gone");
        assert_eq!(readiness.waiting_for().get("nats").map(String::as_str), Some("gone"));
        readiness.ready("nats");
        drain.cancel();
        assert!(!readiness.is_ready());
        assert!(readiness.waiting_for().contains_key("drain"));
    }

    #[tokio::test(start_paused = true)]
    async fn watching_follows_the_check_and_ends_with_the_drain() {
        let drain = CancellationToken::new();
        let readiness = Readiness::new(&["store"], drain.clone());
        let (answer, answers) = watch::channel(Err("down"));
        let mut changes = readiness.changes();
        assert_eq!(changes.next().await, Some(false));
        let driving = async {
            assert_eq!(changes.next().await, Some(false), "the reason has changed");
            answer.send(Ok(())).unwrap();
            assert_eq!(changes.next().await, Some(true));
            answer.send(Err("down again")).unwrap();
            assert_eq!(changes.next().await, Some(false));
            drain.cancel();
            assert_eq!(changes.next().await, None);
        };
        tokio::join!(readiness.watch("store", async || *answers.borrow()), driving);
    }

    #[tokio::test]
    async fn what_is_told_of_a_need_counts() {
        let readiness = Readiness::new(&[], CancellationToken::new());
        let (is_crowded, told) = watch::channel(true);
        let mut changes = readiness.changes();
        assert_eq!(changes.next().await, Some(true));
        let driving = async {
            assert_eq!(changes.next().await, Some(false));
            is_crowded.send(false).unwrap();
            assert_eq!(changes.next().await, Some(true));
            drop(is_crowded);
        };
        tokio::join!(readiness.follow("room", told, "too many"), driving);
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_when_the_need_is_met_once() {
        let readiness = Readiness::new(&["store"], CancellationToken::new());
        let failures = std::cell::Cell::new(3);
        let check = || {
            let left = failures.replace(failures.get() - 1);
            std::future::ready(if left > 0 { Err("down") } else { Ok(()) })
        };
        readiness.wait_for("store", check).await;
        assert!(readiness.is_ready());
        assert_eq!(failures.get(), -1);
    }
}
