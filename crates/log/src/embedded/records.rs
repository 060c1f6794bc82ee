//! Reading from the log's file.

use std::sync::Arc;

use bytes::Bytes;
use natter_model::event::Entry;
use natter_model::id::{ConversationId, Position};
use natter_proto::record;
use redb::{Database, ReadableDatabase, ReadableTable};

use super::file::{CONVERSATIONS, RECORDS};
use crate::port::{Delivery, LogError};

/// The file, open for reading. Readers see what was committed when they began, and never wait for the writer.
#[derive(Clone)]
pub(super) struct Records(Arc<Database>);

impl Records {
    pub(super) fn new(database: Database) -> Self {
        Self(Arc::new(database))
    }

    pub(super) fn database(&self) -> Arc<Database> {
        Arc::clone(&self.0)
    }

    /// Reads on a thread that may block. Most pages are in memory, but one that is not costs a disk read, and the
    /// runtime's own threads have sockets to serve meanwhile.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Self) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, LogError> {
        let records = self.clone();
        let reading = tokio::task::spawn_blocking(move || read(&records));
        reading.await.map_err(|error| LogError::Unavailable(error.to_string()))?
    }

    /// See [`crate::port::Log::read`].
    pub(super) fn read(
        &self,
        conversation: ConversationId,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Entry>, LogError> {
        self.try_read(conversation.get(), after.get(), limit).map_err(log_error)
    }

    fn try_read(&self, conversation: u64, after: u64, limit: usize) -> Result<Vec<Entry>, redb::Error> {
        let transaction = self.0.begin_read()?;
        let conversations = transaction.open_table(CONVERSATIONS)?;
        let records = transaction.open_table(RECORDS)?;
        let mut previous = match conversations.range((conversation, 0)..=(conversation, after))?.next_back() {
            Some(row) => Position::new(row?.0.value().1),
            None => Position::START,
        };
        let mut entries = Vec::new();
        let later = (conversation, after.saturating_add(1))..=(conversation, u64::MAX);
        for row in conversations.range(later)? {
            if entries.len() == limit {
                break;
            }
            let position = Position::new(row?.0.value().1);
            let Some(record) = records.get(position.get())? else { continue };
            match record::decode_event(record.value()) {
                Ok(event) => {
                    entries.push(Entry { position, previous, event });
                    previous = position;
                }
                Err(reason) => tracing::warn!(position = position.get(), %reason, "passing over an unreadable record"),
            }
        }
        Ok(entries)
    }

    /// See [`crate::port::Log::entry`].
    pub(super) fn entry(&self, position: Position) -> Result<Option<Entry>, LogError> {
        match self.delivery(position).map_err(log_error)? {
            Some(Delivery::Entry(entry, _)) => Ok(Some(entry)),
            Some(Delivery::Unreadable { reason, .. }) => Err(LogError::Unreadable { position, reason }),
            Some(Delivery::Filler { .. }) | None => Ok(None),
        }
    }

    /// See [`crate::port::Log::head`].
    pub(super) fn head(&self, conversation: ConversationId) -> Result<Position, LogError> {
        let head = || -> Result<Position, redb::Error> {
            let conversations = self.0.begin_read()?.open_table(CONVERSATIONS)?;
            let rows = (conversation.get(), 0)..=(conversation.get(), u64::MAX);
            match conversations.range(rows)?.next_back() {
                Some(row) => Ok(Position::new(row?.0.value().1)),
                None => Ok(Position::START),
            }
        };
        head().map_err(log_error)
    }

    /// See [`crate::port::Log::oldest`]. Without any record, it is where the log ends.
    pub(super) fn oldest(&self, last: Position) -> Result<Position, LogError> {
        let oldest = || -> Result<Position, redb::Error> {
            let first = self.0.begin_read()?.open_table(RECORDS)?.first()?.map(|(position, _)| position.value());
            Ok(first.map_or(last, |first| Position::new(first - 1)))
        };
        oldest().map_err(log_error)
    }

    /// See [`crate::port::Log::scan`].
    pub(super) fn scan(&self, after: Position, limit: usize) -> Result<Vec<Delivery>, LogError> {
        let scan = || -> Result<Vec<Delivery>, redb::Error> {
            let records = self.0.begin_read()?.open_table(RECORDS)?;
            let rows = records.range(after.get().saturating_add(1)..)?.take(limit);
            rows.map(|row| {
                let (position, bytes) = row?;
                let bytes = Bytes::copy_from_slice(bytes.value());
                Ok(Delivery::of_record(Position::new(position.value()), &bytes, None))
            })
            .collect()
        };
        scan().map_err(log_error)
    }

    /// The records at these positions, those that are there.
    pub(super) fn deliveries(&self, positions: &[u64]) -> Result<Vec<Delivery>, LogError> {
        positions
            .iter()
            .filter_map(|&position| self.delivery(Position::new(position)).map_err(log_error).transpose())
            .collect()
    }

    fn delivery(&self, position: Position) -> Result<Option<Delivery>, redb::Error> {
        self.with_record(position, |bytes| Delivery::of_record(position, &Bytes::copy_from_slice(bytes), None))
    }

    fn with_record<T>(&self, position: Position, see: impl FnOnce(&[u8]) -> T) -> Result<Option<T>, redb::Error> {
        // The table keeps its transaction open, and with it the pages that the record lies in; the record does not.
        let records = self.0.begin_read()?.open_table(RECORDS)?;
        Ok(records.get(position.get())?.map(|record| see(record.value())))
    }
}

/// What the file's trouble means for those who use the log.
pub(super) fn log_error(error: redb::Error) -> LogError {
    match error {
        redb::Error::Io(io) if io.kind() == std::io::ErrorKind::StorageFull => LogError::Full(io.to_string()),
        other => LogError::Unavailable(other.to_string()),
    }
}
