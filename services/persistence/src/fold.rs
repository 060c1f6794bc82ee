//! The loop that takes records from the log, puts them into the store, and only then acknowledges them.

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use natter_host::backoff::Backoff;
use natter_log::port::{Backlog, Consumer, Delivery, Log, LogError};
use natter_model::event::Entry;
use natter_model::id::Position;
use natter_proto::record;
use natter_store::error::StoreError;
use natter_store::messages::MessageStore;
use natter_trace::spans;
use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::apply::apply;
use crate::metrics;

/// Wait for what the log hands out already when the program ends.
const AT_HAND: Duration = Duration::from_millis(200);

/// Pauses before the next attempt when the log or the store is away.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Stores what the log holds. Any number of folds may run side by side, in any number of processes.
pub struct Fold {
    log: Arc<dyn Log>,
    backlog: Arc<dyn Backlog>,
    store: Arc<dyn MessageStore>,
    batch_records: usize,
}

impl Fold {
    /// Takes up to `batch_records` records at a time. `backlog` is the same log.
    pub fn new(
        log: Arc<dyn Log>,
        backlog: Arc<dyn Backlog>,
        store: Arc<dyn MessageStore>,
        batch_records: NonZero<u16>,
    ) -> Self {
        metrics::describe();
        Self { log, backlog, store, batch_records: batch_records.get().into() }
    }

    /// Runs until `drain` is cancelled and the batch in hand is stored and acknowledged. Waits for a log or a store
    /// that is away, and goes on when it is back.
    pub async fn run(self, drain: CancellationToken) {
        let mut backoff = Backoff::between(FIRST_PAUSE, LONGEST_PAUSE);
        while let Some(begun) = drain.run_until_cancelled(self.begin()).await {
            match begun {
                Ok(consumer) => match self.consume(consumer, &drain, &mut backoff).await {
                    Ok(()) => return,
                    Err(error) => warn!(%error, "the log hands out no records"),
                },
                Err(why) => warn!(why, "nothing is stored"),
            }
            drain.run_until_cancelled(backoff.wait()).await;
        }
    }

    /// At the start and whenever the line to the log was made anew: by then the log may have lost its tail, and give the
    /// positions that the store has seen to other events.
    async fn begin(&self) -> Result<Box<dyn Consumer>, String> {
        let highest = self.store.highest().await.map_err(|error| error.to_string())?;
        self.log.expect_at_least(highest);
        self.backlog.consume().await.map_err(|error| error.to_string())
    }

    /// `Ok` once draining.
    async fn consume(
        &self,
        mut consumer: Box<dyn Consumer>,
        drain: &CancellationToken,
        backoff: &mut Backoff,
    ) -> Result<(), LogError> {
        while let Some(batch) = drain.run_until_cancelled(consumer.next(self.batch_records)).await {
            self.settle(&mut *consumer, &batch?, drain, backoff).await?;
        }
        // What the log has handed out already would come again, to another, only after a while.
        if let Ok(batch) = time::timeout(AT_HAND, consumer.next(self.batch_records)).await {
            self.settle(&mut *consumer, &batch?, drain, backoff).await?;
        }
        Ok(())
    }

    /// Stored and acknowledged, or handed back.
    async fn settle(
        &self,
        consumer: &mut dyn Consumer,
        batch: &[Delivery],
        drain: &CancellationToken,
        backoff: &mut Backoff,
    ) -> Result<(), LogError> {
        let positions: Vec<Position> = batch.iter().map(Delivery::position).collect();
        let begun = Instant::now();
        // Each record is one of its own trace, until it is acknowledged or handed back.
        let spans: Vec<_> = batch.iter().filter_map(|delivery| delivery.span("fold", batch.len())).collect();
        match self.keep(batch).await {
            Ok(()) => {
                #[cfg(feature = "failpoints")]
                fail::fail_point!("persistence::after_commit", |_| std::process::abort());
                let acknowledged = consumer.acknowledge(&positions).await;
                acknowledged.inspect_err(|error| spans.iter().for_each(|span| spans::failed(span, error.kind())))?;
                backoff.reset();
                metrics::stored(positions.len(), begun.elapsed());
                debug!(records = positions.len(), "stored");
            }
            Err(error) => {
                spans.iter().for_each(|span| spans::failed(span, error.kind()));
                warn!(%error, records = positions.len(), "handing back what could not be stored");
                metrics::handed_back(positions.len());
                consumer.hand_back(&positions).await?;
                self.wait_for_store(drain, backoff).await;
            }
        }
        Ok(())
    }

    /// Every record of the batch is in the rows, or in quarantine.
    async fn keep(&self, batch: &[Delivery]) -> Result<(), StoreError> {
        let mut entries = Vec::with_capacity(batch.len());
        for delivery in batch {
            match delivery {
                Delivery::Entry(entry, _) => entries.push(entry.clone()),
                Delivery::Unreadable { position, bytes, reason } => self.quarantine(*position, bytes, reason).await?,
                Delivery::Filler { .. } => {}
            }
        }
        for misfit in apply(&*self.store, &entries).await? {
            let is_it = |entry: &&Entry| entry.position == misfit.position;
            let record = entries.iter().find(is_it).map(|entry| record::encode_event(&entry.event));
            self.quarantine(misfit.position, &record.unwrap_or_default(), &misfit.reason).await?;
        }
        Ok(())
    }

    async fn quarantine(&self, position: Position, record: &[u8], reason: &str) -> Result<(), StoreError> {
        warn!(%position, reason, "a record goes to quarantine");
        self.store.quarantine(position, record, reason).await?;
        metrics::quarantined();
        Ok(())
    }

    /// Taking records that cannot be stored would only move them about in the log.
    async fn wait_for_store(&self, drain: &CancellationToken, backoff: &mut Backoff) {
        let back = async {
            loop {
                backoff.wait().await;
                match self.store.ready().await {
                    Ok(()) => return,
                    Err(error) => debug!(%error, "the store is still away"),
                }
            }
        };
        if drain.run_until_cancelled(back).await.is_some() {
            info!("the store is back");
        }
    }
}

#[cfg(test)]
mod tests;
