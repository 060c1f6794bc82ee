//! Catching up: what a reader missed, page by page, for those who are behind what edges keep in memory.

use std::sync::Arc;

use natter_log::port::Log;
use natter_model::id::{ConversationId, MAX_ID, Position};
use natter_proto::{record, v1};
use natter_store::messages::MessageStore;
use prost::Message as _;

use crate::read_repair::{Behind, ReadRepair};
use crate::reply::{Trouble, conversation_id};

/// Most entries in one page.
const MOST_ENTRIES: u32 = 2000;

/// A page ends with the entry that takes it past this. No record of the log is larger than a megabyte, so with what is
/// behind it a page stays below the four megabytes that gRPC takes.
const PAGE_BYTES: usize = 1 << 20;

/// Tells what was missed.
pub(crate) struct CatchUp {
    log: Arc<dyn Log>,
    store: Arc<dyn MessageStore>,
    repair: Arc<ReadRepair>,
}

/// How far a conversation can be told.
struct End {
    /// Where it ends in the log; [`Position::START`]: the log holds nothing of it.
    head: Position,
    /// The store has everything up to here, the head and what is older than the log included.
    known: Position,
}

impl CatchUp {
    pub(crate) fn new(log: Arc<dyn Log>, store: Arc<dyn MessageStore>, repair: Arc<ReadRepair>) -> Self {
        Self { log, store, repair }
    }

    /// One page, which speaks of one moment.
    pub(crate) async fn page(&self, request: &v1::CatchUpRequest) -> Result<v1::CatchUpReply, Trouble> {
        let conversation = conversation_id(request.conversation_id)?;
        let since = Position::new(request.since);
        let limit = usize::try_from(request.limit).map_err(|_| Trouble::OutOfRange("limit"))?;
        if request.since > MAX_ID {
            return Err(Trouble::OutOfRange("since"));
        }
        if !(1..=MOST_ENTRIES).contains(&request.limit) {
            return Err(Trouble::OutOfRange("limit"));
        }
        let end = self.end(conversation).await?;
        // Nothing behind the end: of what is coming in just now, the store may have the later and not the earlier.
        let changes = self.store.changes(conversation, since, end.known, limit).await?;
        let mut is_whole = changes.len() < limit;
        let mut n_bytes = 0;
        let mut entries = Vec::with_capacity(changes.len());
        let n_changes = changes.len();
        for change in changes {
            let entry = v1::Entry { position: change.position.get(), event: Some(record::to_proto(&change.event)) };
            n_bytes += entry.encoded_len();
            entries.push(entry);
            if n_bytes > PAGE_BYTES && entries.len() < n_changes {
                is_whole = false;
                break;
            }
        }
        let last = entries.last().map_or(request.since, |entry| entry.position);
        let through = if is_whole { last.max(end.head.get()) } else { last };
        Ok(v1::CatchUpReply { entries, through })
    }

    /// Brings the store to the conversation's end.
    async fn end(&self, conversation: ConversationId) -> Result<End, Behind> {
        let head = self.repair.reach(conversation).await?;
        if head > Position::START {
            return Ok(End { head, known: head });
        }
        // What the store has of it is older than the log, or was appended since. Of the former all is known up to where
        // the log ends, if even after that the log holds nothing of it.
        let last = self.log.last().await?;
        let head = self.repair.reach(conversation).await?;
        Ok(End { head, known: last.max(head) })
    }
}

#[cfg(test)]
mod tests;
