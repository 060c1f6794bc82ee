//! The loop that takes records from the log, puts them into the store, and only then acknowledges them.

use std::num::NonZero;
use std::sync::Arc;

use natter_log::port::{Backlog, Consumer, Delivery, LogError};
use natter_model::event::Entry;
use natter_model::id::Position;
use natter_proto::record;
use natter_store::error::StoreError;
use natter_store::messages::MessageStore;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::apply::apply;
use crate::backoff::Backoff;

/// Stores what the log holds. Any number of folds may run side by side, in any number of processes.
pub struct Fold {
    backlog: Arc<dyn Backlog>,
    store: Arc<dyn MessageStore>,
    batch_records: usize,
}

impl Fold {
    /// Takes up to `batch_records` records at a time.
    pub fn new(backlog: Arc<dyn Backlog>, store: Arc<dyn MessageStore>, batch_records: NonZero<u16>) -> Self {
        Self { backlog, store, batch_records: batch_records.get().into() }
    }

    /// Runs until `drain` is cancelled and the batch in hand is stored and acknowledged. Waits for a log or a store
    /// that is away, and goes on when it is back.
    pub async fn run(self, drain: CancellationToken) {
        let mut backoff = Backoff::new();
        while let Some(consumer) = drain.run_until_cancelled(self.backlog.consume()).await {
            let outcome = match consumer {
                Ok(consumer) => self.consume(consumer, &drain, &mut backoff).await,
                Err(error) => Err(error),
            };
            let Err(error) = outcome else { return };
            warn!(%error, "the log hands out no records");
            drain.run_until_cancelled(backoff.wait()).await;
        }
    }

    /// `Ok` once draining.
    async fn consume(
        &self,
        mut consumer: Box<dyn Consumer>,
        drain: &CancellationToken,
        backoff: &mut Backoff,
    ) -> Result<(), LogError> {
        while let Some(batch) = drain.run_until_cancelled(consumer.next(self.batch_records)).await {
            let batch = batch?;
            let positions: Vec<Position> = batch.iter().map(Delivery::position).collect();
            match self.keep(&batch).await {
                Ok(()) => {
                    consumer.acknowledge(&positions).await?;
                    backoff.reset();
                    debug!(records = positions.len(), "stored");
                }
                Err(error) => {
                    warn!(%error, records = positions.len(), "handing back what could not be stored");
                    consumer.hand_back(&positions).await?;
                    self.wait_for_store(drain, backoff).await;
                }
            }
        }
        Ok(())
    }

    /// Every record of the batch is in the rows, or in quarantine.
    async fn keep(&self, batch: &[Delivery]) -> Result<(), StoreError> {
        let mut entries = Vec::with_capacity(batch.len());
        for delivery in batch {
            match delivery {
                Delivery::Entry(entry) => entries.push(entry.clone()),
                Delivery::Unreadable { position, bytes, reason } => self.quarantine(*position, bytes, reason).await?,
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
        self.store.quarantine(position, record, reason).await
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
