//! Natter's log on its way to Django: each entry once and in order, however many adapters there are.

use std::sync::Arc;
use std::time::Duration;

use natter_host::backoff::Backoff;
use natter_log::port::{Delivery, Log, LogError};
use natter_model::event::Origin;
use natter_model::id::Position;
use natter_model::timestamp::Timestamp;
use natter_trace::spans;
use tokio::sync::{Notify, watch};
use tokio::time;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::outward;
use super::recent::Recent;
use crate::layer::error::LayerError;
use crate::layer::{Layer, Positioned};
use crate::metrics;

/// Records that are read, and published in one step, at most.
const PAGE: usize = 256;
/// Time between two looks at the log without a cause: what is lost when the call to look got lost.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Pauses before the next attempt when the log or Redis is away.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What is counted as left out after an outage.
const TOO_OLD: &str = "too_old";

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Layer(#[from] LayerError),
}

/// What is told after an outage.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CatchUp {
    /// What is younger than this is told in any case.
    pub expiry: Duration,
    /// Of what is older, the last so many records are looked at: a Django process holds no more.
    pub capacity: usize,
}

/// Walks the log. How far it is stands in Redis, and moves in the same step as what is published: whoever comes second
/// finds it done.
pub(crate) struct Publisher {
    log: Arc<dyn Log>,
    layer: Layer,
    recent: Recent,
    catch_up: CatchUp,
    /// How far the log is in Redis, as far as we know: for a Redis that comes back empty.
    walked: watch::Sender<Position>,
}

impl Publisher {
    pub(crate) fn new(log: Arc<dyn Log>, layer: Layer, recent: Recent, catch_up: CatchUp) -> Self {
        Self { log, layer, recent, catch_up, walked: watch::Sender::new(Position::START) }
    }

    /// How far it is.
    pub(crate) fn walked(&self) -> watch::Receiver<Position> {
        self.walked.subscribe()
    }

    /// Publishes what there is, and again whenever `woken`, until `drain` is cancelled. Waits for a log or a Redis that is
    /// away, and goes on where it was. `lost` says that Redis may have forgotten how far that is.
    pub(crate) async fn run(self, woken: &Notify, lost: &Notify, drain: &CancellationToken) {
        let mut backoff = Backoff::between(FIRST_PAUSE, LONGEST_PAUSE);
        while !drain.is_cancelled() {
            match self.walk(woken, lost, drain, &mut backoff).await {
                Ok(()) => {}
                Err(error) => {
                    if backoff.is_fresh() {
                        warn!(%error, position = %*self.walked.borrow(), "nothing is published to Django");
                    }
                    if let Ok(last) = self.log.last().await {
                        metrics::lag(last.get().saturating_sub(self.walked.borrow().get()));
                    }
                    drain.run_until_cancelled(backoff.wait()).await;
                }
            }
        }
    }

    /// `Ok`: draining, or Redis has to be asked again.
    async fn walk(
        &self,
        woken: &Notify,
        lost: &Notify,
        drain: &CancellationToken,
        backoff: &mut Backoff,
    ) -> Result<(), Trouble> {
        let Begin { mut at, last } = self.begin().await?;
        let too_old = TooOld::after(self.catch_up, last);
        let mut n_left_out = 0;
        while !drain.is_cancelled() {
            let page = self.log.scan(at, PAGE).await?;
            if let Some(end) = page.last().map(Delivery::position) {
                let mut batch = Vec::with_capacity(page.len());
                for delivery in &page {
                    batch.push(self.positioned(delivery).await);
                }
                let n_too_old = too_old.leave_out(&page, &mut batch);
                let told = page.iter().zip(&batch).filter(|(_, positioned)| positioned.message.is_some());
                let spans: Vec<_> = told.filter_map(|(delivery, _)| delivery.span("relay", page.len())).collect();
                let published = self.layer.publish(&batch).await;
                if published.is_err() {
                    spans.iter().for_each(|span| spans::failed(span, "unavailable"));
                }
                drop(spans);
                let published = published?;
                for garbage in &published.garbage {
                    warn!(key = garbage.key, reason = %garbage.why, "a key cannot be written to");
                    metrics::skipped(garbage.why.label(), 1);
                }
                metrics::published(&published);
                metrics::skipped(TOO_OLD, n_too_old);
                n_left_out += n_too_old;
                at = end;
                self.walked.send_replace(at);
            }
            backoff.reset();
            if page.len() == PAGE {
                metrics::lag(last.get().saturating_sub(at.get()));
                continue;
            }
            metrics::lag(0);
            if std::mem::take(&mut n_left_out) > 0 {
                let up_to = too_old.up_to;
                warn!(%up_to, "what happened too long ago is not told; Django's clients see it in the history");
            }
            tokio::select! {
                biased;
                () = drain.cancelled() => {}
                () = lost.notified() => return Ok(()),
                () = woken.notified() => {}
                () = time::sleep(LOOK_EVERY) => {}
            }
        }
        Ok(())
    }

    /// Where to go on: where Redis says, or we know, that it is; the end of the log if nobody knows.
    async fn begin(&self) -> Result<Begin, Trouble> {
        let last = self.log.last().await?;
        let copy = Some(*self.walked.borrow()).filter(|copy| *copy > Position::START);
        let at = match self.layer.position().await? {
            Some(known) => known.max(copy.unwrap_or(known)),
            None => {
                let at = self.layer.start_at(copy.unwrap_or(last)).await?;
                info!(position = %at, "Redis did not know how far the log is published; going on from here");
                at
            }
        };
        // Redis bears witness of how far the log has been.
        self.log.expect_at_least(at);
        self.walked.send_replace(at);
        debug!(position = %at, %last, "publishing");
        Ok(Begin { at, last })
    }

    async fn positioned(&self, delivery: &Delivery) -> Positioned {
        let position = delivery.position();
        let message = match delivery {
            Delivery::Entry(entry, _) => {
                if entry.event.origin == Origin::Channels {
                    self.recent.note(entry.event.id).await;
                }
                outward::event(entry)
            }
            Delivery::Unreadable { reason, .. } => {
                warn!(%position, reason, "passing over an unreadable record");
                None
            }
            Delivery::Filler { .. } => None,
        };
        Positioned { position, message }
    }
}

struct Begin {
    at: Position,
    /// Where the log ended then.
    last: Position,
}

/// What need not be told any more after an outage.
struct TooOld {
    up_to: Position,
    /// In microseconds since the Unix epoch.
    before: i64,
}

impl TooOld {
    fn after(catch_up: CatchUp, last: Position) -> Self {
        let expiry = i64::try_from(catch_up.expiry.as_micros()).unwrap_or(i64::MAX);
        Self {
            up_to: Position::new(last.get().saturating_sub(catch_up.capacity as u64)),
            before: Timestamp::now().as_micros().saturating_sub(expiry),
        }
    }

    /// Takes it out of the batch that was made of the page. Answers how much that was.
    fn leave_out(&self, page: &[Delivery], batch: &mut [Positioned]) -> usize {
        let mut n_left_out = 0;
        for (delivery, positioned) in page.iter().zip(batch) {
            if let Delivery::Entry(entry, _) = delivery
                && entry.position <= self.up_to
                && entry.event.at.as_micros() < self.before
            {
                n_left_out += usize::from(positioned.message.take().is_some());
            }
        }
        n_left_out
    }
}
