//! What those ask who compare a store with its log: what the fold has made of it, and what it would make.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use async_trait::async_trait;
use natter_model::event::{Body, Entry};
use natter_model::id::{AccountId, ConversationId, MessageId, Position};

use crate::batch::{Batch, Changes, Erasures};
use crate::error::StoreError;
use crate::fold::{MarkKey, ReadMark, Row};
use crate::messages::MessageStore;

/// Records that were quarantined, by their positions; several if there were several reasons.
pub type Quarantined = BTreeMap<Position, Vec<Vec<u8>>>;

/// A message store that shows what its rows bear witness of. Each answer is about a range of positions, and is as long
/// as there are positions in it: ask for thousands, not millions.
#[async_trait]
pub trait Evidence: MessageStore {
    /// The rows of the messages that were posted at these positions; of imported ones, those with these ids.
    async fn rows(&self, positions: RangeInclusive<u64>) -> Result<Vec<Row>, StoreError>;

    /// The rows of the messages with these ids, wherever they were posted.
    async fn rows_named(&self, ids: RangeInclusive<u64>) -> Result<Vec<Row>, StoreError>;

    /// The rows of these messages, those that are there: ask for thousands, not millions.
    async fn rows_of(&self, ids: &[MessageId]) -> Result<Vec<Row>, StoreError>;

    /// The rows that were last touched there, by that.
    async fn touched(&self, positions: RangeInclusive<u64>) -> Result<Vec<Row>, StoreError>;

    /// The read marks that were moved there.
    async fn marks(&self, positions: RangeInclusive<u64>) -> Result<Vec<ReadMark>, StoreError>;

    /// The conversations whose last erasure stands there.
    async fn erasures(&self, positions: RangeInclusive<u64>) -> Result<Erasures, StoreError>;

    /// What was quarantined of what stands there.
    async fn quarantined(&self, positions: RangeInclusive<u64>) -> Result<Quarantined, StoreError>;

    /// What [`MessageStore::apply`] would change now. Of entries that were applied: nothing.
    async fn dry_run(&self, entries: &[Entry]) -> Result<Changes, StoreError>;
}

/// Where the readers' marks stand.
pub type Marks = BTreeMap<MarkKey, ReadMark>;

/// Whose marks the entries may move.
pub fn readers(entries: &[Entry]) -> impl Iterator<Item = (ConversationId, AccountId)> {
    let reads = entries.iter().filter(|entry| matches!(entry.event.body, Body::Read { .. }));
    reads.map(|entry| (entry.event.conversation, entry.event.actor.id))
}

/// The changes that the batch makes to what is stored: no marks among them but those that move.
pub fn preview(batch: Batch<'_>, rows: Vec<Row>, marks: &Marks, erasures: &Erasures) -> Changes {
    let mut changes = batch.fold(rows, erasures);
    let place = |mark: &ReadMark| (mark.message, mark.touched_seq);
    changes.marks.retain(|mark| {
        let stored = marks.get(&mark.key());
        stored.is_none_or(|stored| place(stored) < place(mark))
    });
    changes
}
