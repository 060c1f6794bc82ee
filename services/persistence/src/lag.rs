//! How far the store is behind the log.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use natter_log::port::{Backlog, Delivery, Log, LogError};
use natter_model::id::Position;
use natter_model::timestamp::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::metrics;

/// Time between two looks. Prometheus asks every 15 s or so.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Ends of the log that are remembered while the store has not come to them: as many looks as fit into the time that
/// anybody asks about, and some more.
const MOST_ENDS: usize = 32;

/// Records that are looked at for the time of the oldest: the first may be none that has one.
const FEW: usize = 16;

/// What is known of the lag, for whoever wants to know without asking the log. Nothing until somebody watches it.
#[derive(Debug, Default)]
pub struct Lag {
    stored_as_of: watch::Sender<Option<Instant>>,
}

impl Lag {
    /// Looks again and again until `drain` is cancelled, and tells the metrics too.
    pub async fn watch(self: Arc<Self>, log: Arc<dyn Log>, backlog: Arc<dyn Backlog>, drain: CancellationToken) {
        let mut ends = Ends::default();
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while drain.run_until_cancelled(ticks.tick()).await.is_some() {
            let looked_at = Instant::now();
            match drain.run_until_cancelled(look(&*log, &*backlog)).await {
                Some(Ok(Seen { floor, last, oldest })) => {
                    metrics::lag(last.get().saturating_sub(floor.get()), oldest);
                    ends.note(looked_at, last);
                    if let Some(stored_as_of) = ends.reached(floor) {
                        self.stored_as_of.send_replace(Some(stored_as_of));
                    }
                }
                Some(Err(error)) => debug!(%error, "cannot tell how far the store is behind"),
                None => return,
            }
        }
    }

    /// Waits until somebody has looked and found the store where the log ended.
    #[cfg(test)]
    pub(crate) async fn known(&self) {
        self.stored_as_of.subscribe().wait_for(Option::is_some).await.expect("the sender is here");
    }

    /// Is everything in the store that the log took longer ago than this? `false` also if that is not known.
    pub(crate) fn is_below(&self, age: Duration) -> bool {
        self.stored_as_of.borrow().is_some_and(|stored_as_of| stored_as_of.elapsed() < age)
    }
}

struct Seen {
    floor: Position,
    last: Position,
    /// Age of the oldest record behind the floor.
    oldest: Duration,
}

async fn look(log: &dyn Log, backlog: &dyn Backlog) -> Result<Seen, LogError> {
    // The floor first: what is stored meanwhile makes the lag look larger, never negative.
    let floor = backlog.floor().await?;
    let last = log.last().await?;
    let oldest = if last > floor { age_of_first(&log.scan(floor, FEW).await?) } else { Duration::ZERO };
    Ok(Seen { floor, last, oldest })
}

/// Records that are no events have no time.
fn age_of_first(records: &[Delivery]) -> Duration {
    let mut times = records.iter().filter_map(|record| match record {
        Delivery::Entry(entry, _) => Some(entry.event.at),
        Delivery::Unreadable { .. } | Delivery::Filler { .. } => None,
    });
    let age = times.next().map(|at| Timestamp::now().as_micros().saturating_sub(at.as_micros()));
    Duration::from_micros(age.and_then(|age| u64::try_from(age).ok()).unwrap_or_default())
}

/// Where the log ended at which moments, oldest first, as far as the store is not known to have come there.
#[derive(Debug, Default)]
struct Ends(VecDeque<(Instant, Position)>);

impl Ends {
    /// At that moment the log had come at least to `last`, and all that it had taken before stands there or before.
    fn note(&mut self, at: Instant, last: Position) {
        // The oldest decides what is said of the lag; the newest may go.
        if self.0.len() < MOST_ENDS {
            self.0.push_back((at, last));
        }
    }

    /// The store has come to `floor`. Answers with the last moment from before which it has everything, if it is news.
    fn reached(&mut self, floor: Position) -> Option<Instant> {
        let mut stored_as_of = None;
        while let Some((at, _)) = self.0.pop_front_if(|(_, last)| *last <= floor) {
            stored_as_of = Some(at);
        }
        stored_as_of
    }
}

#[cfg(test)]
mod tests {
    use natter_log::embedded::Embedded;
    use natter_model::event::{Actor, Body, Event, Origin};
    use natter_model::id::{AccountId, ConversationId, EventId};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_store_is_as_old_as_the_newest_end_it_has_come_to() {
        let begun = Instant::now();
        let after = |seconds| begun + Duration::from_secs(seconds);
        let mut ends = Ends::default();
        ends.note(after(0), Position::new(10));
        assert_eq!(ends.reached(Position::new(9)), None);
        ends.note(after(5), Position::new(20));
        ends.note(after(10), Position::new(20));
        ends.note(after(15), Position::new(30));
        assert_eq!(ends.reached(Position::new(29)), Some(after(10)));
        assert_eq!(ends.reached(Position::new(29)), None);
        for n in 0..100 {
            ends.note(after(20 + n), Position::new(40 + n));
        }
        assert_eq!(ends.reached(Position::new(39)), Some(after(15)));
        assert_eq!(ends.0.len(), MOST_ENDS - 1);
        assert_eq!(ends.reached(Position::new(1_000)), Some(after(20 + 30)), "what was noted later was let go");
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_is_at_the_end_of_the_log_is_not_behind() {
        let folder = tempfile::tempdir().unwrap();
        let log = Arc::new(Embedded::open(&folder.path().join("log"), Position::START).unwrap());
        let lag = Arc::new(Lag::default());
        let minute = Duration::from_secs(60);
        assert!(!lag.is_below(minute), "nobody has looked");
        let drain = CancellationToken::new();
        let watching = tokio::spawn(Arc::clone(&lag).watch(log.clone(), log.clone(), drain.clone()));
        lag.known().await;
        assert!(lag.is_below(minute));
        // Of this the store knows nothing, and nobody folds it.
        let event = Event {
            id: EventId::fresh(),
            conversation: ConversationId::new(7).unwrap(),
            actor: Actor { id: AccountId::new(2).unwrap(), username: "ana".to_owned() },
            at: Timestamp::from_micros(1),
            origin: Origin::Natter,
            body: Body::Posted { message: None, content: "hello".to_owned(), attachment: None, client_id: None },
        };
        log.append(&event).await.unwrap();
        tokio::time::sleep(minute + LOOK_EVERY).await;
        assert!(!lag.is_below(minute));
        drain.cancel();
        watching.await.unwrap();
        let seen = look(&*log, &*log).await.unwrap();
        assert!(seen.oldest > minute, "it was said at the beginning of time: {:?}", seen.oldest);
    }
}
