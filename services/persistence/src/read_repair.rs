//! Brings the store up to the log where somebody looks, ahead of the fold.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use moka::future::Cache;
use natter_log::port::{Backlog, Delivery, Log, LogError};
use natter_model::event::Entry;
use natter_model::id::{ConversationId, Position};
use natter_store::error::StoreError;
use natter_store::messages::MessageStore;

use crate::apply::apply;

/// Entries that are read and applied at a time.
const BATCH: usize = 500;
/// Conversations looked after at a time, for one question.
const AT_ONCE: usize = 16;
/// Conversations whose state is remembered, at most: a few megabytes.
const REMEMBERED: u64 = 50_000;

/// Knows how far the store is, and takes it further.
pub(crate) struct ReadRepair {
    log: Arc<dyn Log>,
    backlog: Arc<dyn Backlog>,
    store: Arc<dyn MessageStore>,
    /// Everything up to here is in the store. Only grows.
    floor: AtomicU64,
    /// So are the entries of these conversations up to here. Matters while the floor lags.
    reached: Cache<ConversationId, Position>,
}

/// Why the store may not know everything.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Behind {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ReadRepair {
    pub(crate) fn new(log: Arc<dyn Log>, backlog: Arc<dyn Backlog>, store: Arc<dyn MessageStore>) -> Self {
        Self { log, backlog, store, floor: AtomicU64::new(0), reached: Cache::new(REMEMBERED) }
    }

    /// See [`ReadRepair::reach`], for several conversations.
    pub(crate) async fn reach_all(&self, conversations: &[ConversationId]) -> Result<(), Behind> {
        let all = conversations.iter().copied().map(|conversation| self.reach(conversation));
        stream::iter(all).buffer_unordered(AT_ONCE).try_for_each(|_| future::ready(Ok(()))).await
    }

    /// Returns once the store holds all that the log had taken in this conversation: all up to the position it answers
    /// with, where the conversation ended in the log ([`Position::START`] if the log holds nothing of it).
    pub(crate) async fn reach(&self, conversation: ConversationId) -> Result<Position, Behind> {
        let head = self.log.head(conversation).await?;
        let mut stored = self.stored(conversation, head).await?;
        while stored < head {
            let entries = self.log.read(conversation, stored, BATCH).await?;
            // What does not fit is left to the fold, which puts it into quarantine.
            apply(&*self.store, &entries).await?;
            // Records that nobody can read stand in the log, but not among its entries.
            stored = entries.last().map_or(head, |last| last.position);
            self.reached.insert(conversation, stored).await;
        }
        Ok(head)
    }

    /// The first entry like this of those that the store may not have yet, of whichever conversation.
    pub(crate) async fn find_in_tail(&self, is_it: impl Fn(&Entry) -> bool) -> Result<Option<Entry>, LogError> {
        let mut after = self.backlog.floor().await?;
        loop {
            let records = self.log.scan(after, BATCH).await?;
            let (is_end, last) = (records.len() < BATCH, records.last().map_or(after, Delivery::position));
            let entries = records.into_iter().filter_map(|record| match record {
                Delivery::Entry(entry, _) => Some(entry),
                Delivery::Unreadable { .. } | Delivery::Filler { .. } => None,
            });
            match entries.into_iter().find(&is_it) {
                None if !is_end => after = last,
                found => return Ok(found),
            }
        }
    }

    /// Up to where the conversation is known to be in the store. Asks the log only if that is not enough.
    async fn stored(&self, conversation: ConversationId, head: Position) -> Result<Position, LogError> {
        let floor = Position::new(self.floor.load(Ordering::Relaxed));
        if head <= floor {
            return Ok(floor);
        }
        let reached = self.reached.get(&conversation).await.unwrap_or_default();
        if head <= reached {
            return Ok(reached);
        }
        let floor = self.backlog.floor().await?;
        self.floor.fetch_max(floor.get(), Ordering::Relaxed);
        Ok(floor.max(reached))
    }
}
