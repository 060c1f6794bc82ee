//! A log in one file of this process, for a deployment without a broker.

mod consumer;
mod desk;
mod file;
mod followers;
mod records;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use async_trait::async_trait;
use natter_model::event::{Entry, Event, Signal};
use natter_model::id::{ConversationId, EventId, Position};
use natter_proto::record;
use tokio::sync::{mpsc, oneshot, watch};

use crate::port::{Appended, Backlog, Consumer, Feed, Heard, Log, LogError};
use consumer::Reader;
use desk::Desk;
pub use file::OpenError;
use followers::Followers;
use records::Records;
use writer::{Append, Command, Writer};

/// The largest record, in bytes: what a NATS server takes by default, so that both logs refuse the same events.
pub const MAX_RECORD_BYTES: usize = 1 << 20;

/// Appends and acknowledgements that wait for the disk. Beyond it the callers wait: nothing is refused or dropped.
const QUEUE: usize = 1024;

/// A log in one file. One thread writes: what is waiting goes into one transaction, and is answered after its fsync.
///
/// It differs from a broker's log in what it can afford: event ids are remembered for ever, and records handed to a
/// [`Consumer`] come again once it is dropped, not after a time.
///
/// A write that the disk refuses ends the log until the file is opened again (see [`Embedded::failed`]): the state of a
/// file after a failed fsync is unknown. Dropping the log waits for what is being written, then closes the file as soon as its
/// consumers are dropped too.
pub struct Embedded {
    records: Records,
    followers: Arc<Followers>,
    desk: watch::Sender<Desk>,
    floor: Arc<AtomicU64>,
    // Both are `Some` until the log is dropped.
    commands: Option<mpsc::Sender<Command>>,
    writer: Option<JoinHandle<()>>,
}

impl Embedded {
    /// Opens the log in this file, or creates it; its folder must be there. A new log begins at position `first` (1 if
    /// that is [`Position::START`]), an old one goes on where it was. Blocks for as long as the disk needs: after a
    /// crash the file is checked, about a second per gigabyte.
    pub fn open(path: &Path, first: Position) -> Result<Self, OpenError> {
        let opened = file::open(path, first)?;
        let followers = Arc::new(Followers::default());
        let records = Records::new(opened.database);
        let desk = watch::Sender::new(Desk::new(opened.next - 1, opened.floor, opened.acknowledged));
        let floor = Arc::new(AtomicU64::new(opened.floor));
        let (commands, queue) = mpsc::channel(QUEUE);
        let writer = Writer {
            database: records.database(),
            queue,
            next: opened.next,
            followers: Arc::clone(&followers),
            desk: desk.clone(),
            floor: Arc::clone(&floor),
        };
        let writer = std::thread::Builder::new()
            .name("log-writer".to_owned())
            .spawn(|| writer.run())
            .map_err(|source| OpenError::Io { path: path.to_owned(), source })?;
        Ok(Self { records, followers, desk, floor, commands: Some(commands), writer: Some(writer) })
    }

    /// Resolves when the log has ended by itself, because a write failed: nothing will be taken or told any more, and
    /// only opening the file again helps.
    pub async fn failed(&self) {
        self.commands.as_ref().expect("there until the log is dropped").closed().await;
    }

    async fn append_record(
        &self,
        id: EventId,
        conversation: ConversationId,
        record: Vec<u8>,
        event: Option<Event>,
    ) -> Result<Appended, LogError> {
        if record.len() > MAX_RECORD_BYTES {
            return Err(LogError::TooLarge);
        }
        let commands = self.commands.as_ref().expect("there until the log is dropped");
        let (reply, answer) = oneshot::channel();
        let append = Append { id, conversation, record, event, reply };
        commands.send(Command::Append(append)).await.map_err(|_| writer_gone())?;
        answer.await.map_err(|_| writer_gone())?
    }

    /// Appends bytes that need not be an event, as a broker would take them from anybody.
    #[cfg(test)]
    async fn append_raw(&self, conversation: ConversationId, bytes: &[u8]) -> Result<Appended, LogError> {
        self.append_record(EventId::fresh(), conversation, bytes.to_vec(), None).await
    }
}

#[async_trait]
impl Log for Embedded {
    async fn append(&self, event: &Event) -> Result<Appended, LogError> {
        self.append_record(event.id, event.conversation, record::encode_event(event), Some(event.clone())).await
    }

    async fn read(&self, conversation: ConversationId, after: Position, limit: usize) -> Result<Vec<Entry>, LogError> {
        self.records.blocking(move |records| records.read(conversation, after, limit)).await
    }

    async fn entry(&self, position: Position) -> Result<Option<Entry>, LogError> {
        self.records.blocking(move |records| records.entry(position)).await
    }

    async fn head(&self, conversation: ConversationId) -> Result<Position, LogError> {
        self.records.blocking(move |records| records.head(conversation)).await
    }

    async fn follow(&self, conversation: ConversationId) -> Result<Feed, LogError> {
        Ok(Followers::follow(&self.followers, conversation))
    }

    async fn signal(&self, signal: &Signal) -> Result<(), LogError> {
        self.followers.tell(signal.conversation, &Heard::Signal(signal.clone()));
        Ok(())
    }
}

#[async_trait]
impl Backlog for Embedded {
    async fn consume(&self) -> Result<Box<dyn Consumer>, LogError> {
        let commands = self.commands.as_ref().expect("there until the log is dropped");
        Ok(Box::new(Reader::new(self.records.clone(), self.desk.clone(), commands.downgrade())))
    }

    async fn floor(&self) -> Result<Position, LogError> {
        Ok(Position::new(self.floor.load(Ordering::Acquire)))
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.desk.send_modify(Desk::close);
        // The writer ends once it has written what the queue holds and nobody can send any more.
        drop(self.commands.take());
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the log's writer panicked");
        }
    }
}

fn writer_gone() -> LogError {
    LogError::Unavailable("the log's writer has ended".to_owned())
}

#[cfg(test)]
mod tests;
