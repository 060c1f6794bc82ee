//! One reader of the embedded log's backlog.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use natter_model::id::Position;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use super::causes::Causes;
use super::desk::Desk;
use super::end::End;
use super::records::Records;
use super::writer::{Acknowledge, Command};
use crate::port::{Consumer, Delivery, LogError};

/// How long what was handed back rests: long enough for a store to recover a little, short enough to go unnoticed.
const REST: Duration = Duration::from_secs(1);

/// Gives back what it holds when it is dropped.
pub(super) struct Reader {
    records: Records,
    desk: watch::Sender<Desk>,
    changes: watch::Receiver<Desk>,
    end: Arc<End>,
    causes: Arc<Causes>,
    commands: mpsc::WeakSender<Command>,
    /// Taken from the desk, and not yet returned from `next`: kept here so that `next` may be dropped at any time.
    taken: Vec<u64>,
    held: BTreeSet<u64>,
}

impl Reader {
    pub(super) fn new(
        records: Records,
        desk: watch::Sender<Desk>,
        end: Arc<End>,
        causes: Arc<Causes>,
        commands: mpsc::WeakSender<Command>,
    ) -> Self {
        let changes = desk.subscribe();
        Self { records, desk, changes, end, causes, commands, taken: Vec::new(), held: BTreeSet::new() }
    }

    /// Waits until there is something to take.
    async fn take(&mut self, limit: usize) -> Result<(), LogError> {
        while self.taken.is_empty() {
            let (closed, due) = {
                let desk = self.changes.borrow_and_update();
                (desk.is_closed(), desk.next_due())
            };
            if closed {
                return Err(closed_error());
            }
            self.desk.send_if_modified(|desk| {
                self.taken = desk.take(limit, Instant::now());
                false // nobody waits for there to be less
            });
            if self.taken.is_empty() {
                tokio::select! {
                    changed = self.changes.changed() => changed.map_err(|_| closed_error())?,
                    () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
                }
            }
        }
        Ok(())
    }

    /// Those of the positions that this reader holds; it no longer does.
    fn release(&mut self, positions: &[Position]) -> Vec<u64> {
        positions.iter().map(|position| position.get()).filter(|position| self.held.remove(position)).collect()
    }
}

#[async_trait]
impl Consumer for Reader {
    async fn next(&mut self, limit: usize) -> Result<Vec<Delivery>, LogError> {
        let limit = limit.max(1);
        // What stands at positions that were used before must not reach the store as if it were the first.
        self.end.check()?;
        loop {
            self.take(limit).await?;
            // There may be more than `limit` from a call that was dropped.
            let positions: Vec<u64> = self.taken.iter().take(limit).copied().collect();
            let n_positions = positions.len();
            let mut deliveries = self.records.blocking(move |records| records.deliveries(&positions)).await?;
            self.held.extend(self.taken.drain(..n_positions));
            for delivery in &mut deliveries {
                if let Delivery::Entry(entry, cause) = delivery {
                    *cause = self.causes.of(entry.position);
                }
            }
            if !deliveries.is_empty() {
                return Ok(deliveries);
            }
        }
    }

    async fn acknowledge(&mut self, positions: &[Position]) -> Result<(), LogError> {
        let commands = self.commands.upgrade().ok_or_else(closed_error)?;
        let positions: Vec<u64> = positions.iter().map(|p| p.get()).filter(|p| self.held.contains(p)).collect();
        let (reply, answer) = oneshot::channel();
        let acknowledge = Acknowledge { positions: positions.clone(), reply };
        commands.send(Command::Acknowledge(acknowledge)).await.map_err(|_| closed_error())?;
        // The log must be able to end while this waits.
        drop(commands);
        answer.await.map_err(|_| closed_error())??;
        for position in positions {
            self.held.remove(&position);
        }
        Ok(())
    }

    async fn hand_back(&mut self, positions: &[Position]) -> Result<(), LogError> {
        let positions = self.release(positions);
        self.desk.send_modify(|desk| desk.give_back(positions, Instant::now() + REST));
        Ok(())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let held = self.taken.drain(..).chain(std::mem::take(&mut self.held));
        self.desk.send_modify(|desk| desk.give_back(held, Instant::now()));
    }
}

fn closed_error() -> LogError {
    LogError::Unavailable("the log is closed".to_owned())
}
