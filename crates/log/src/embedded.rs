//! A log in one file of this process, for a deployment without a broker.

mod causes;
mod consumer;
mod desk;
mod end;
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
use natter_trace::context::TraceContext;
use natter_trace::spans;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::Instrument as _;

use crate::mend::{Mend, Substitute};
use crate::port::{Appended, Backlog, Consumer, Delivery, Feed, Heard, Log, LogError};
use causes::Causes;
use consumer::Reader;
use desk::Desk;
use end::End;
pub use file::OpenError;
use followers::Followers;
use records::Records;
use writer::{Append, Command, Place, Writer};

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
    end: Arc<End>,
    causes: Arc<Causes>,
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
        let end = Arc::new(End::new(opened.next - 1));
        let causes = Arc::new(Causes::default());
        let (commands, queue) = mpsc::channel(QUEUE);
        let writer = Writer {
            database: records.database(),
            queue,
            next: opened.next,
            followers: Arc::clone(&followers),
            desk: desk.clone(),
            floor: Arc::clone(&floor),
            end: Arc::clone(&end),
            causes: Arc::clone(&causes),
        };
        let writer = std::thread::Builder::new()
            .name("log-writer".to_owned())
            .spawn(|| writer.run())
            .map_err(|source| OpenError::Io { path: path.to_owned(), source })?;
        let (commands, writer) = (Some(commands), Some(writer));
        Ok(Self { records, followers, desk, floor, end, causes, commands, writer })
    }

    /// Resolves when the log has ended by itself, because a write failed: nothing will be taken or told any more, and
    /// only opening the file again helps.
    pub async fn failed(&self) {
        self.commands.as_ref().expect("there until the log is dropped").closed().await;
    }

    /// `None`: the end is elsewhere than the place.
    async fn append_record(&self, record: Record, place: Place) -> Result<Option<Appended>, LogError> {
        self.send_record(record, place).await?.await.map_err(|_| writer_gone())?
    }

    /// Returns once the record has its place in the queue; what has become of it is told later.
    async fn send_record(&self, record: Record, place: Place) -> Result<Outcome, LogError> {
        let Record { id, conversation, bytes: record, event, cause } = record;
        if record.len() > MAX_RECORD_BYTES {
            return Err(LogError::TooLarge);
        }
        let commands = self.commands.as_ref().expect("there until the log is dropped");
        let (reply, answer) = oneshot::channel();
        let append = Append { id, conversation, record, event, cause, place, reply };
        commands.send(Command::Append(Box::new(append))).await.map_err(|_| writer_gone())?;
        Ok(answer)
    }

    /// Appends bytes that need not be an event, as a broker would take them from anybody.
    #[cfg(test)]
    async fn append_raw(&self, conversation: ConversationId, bytes: &[u8]) -> Result<Appended, LogError> {
        let (id, conversation, bytes) = (EventId::fresh(), conversation.get(), bytes.to_vec());
        let record = Record { id, conversation, bytes, event: None, cause: None };
        let appended = self.append_record(record, Place::Next).await?;
        Ok(appended.expect("a new record comes next"))
    }
}

#[async_trait]
impl Log for Embedded {
    async fn append(&self, event: &Event) -> Result<Appended, LogError> {
        let span = spans::publish("natter", event.conversation, event.id);
        let appended = async {
            self.end.check()?;
            let cause = TraceContext::current_sampled();
            let appended = self.append_record(Record { cause, ..Record::of(event) }, Place::Next).await?;
            Ok(appended.expect("the end is always next"))
        };
        let appended: Result<Appended, LogError> = appended.instrument(span.clone()).await;
        match &appended {
            Ok(appended) => spans::published(&span, appended.position),
            Err(error) => spans::failed(&span, error.kind()),
        }
        appended
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

    async fn oldest(&self) -> Result<Position, LogError> {
        self.end.check()?;
        let last = self.end.last();
        self.records.blocking(move |records| records.oldest(last)).await
    }

    async fn last(&self) -> Result<Position, LogError> {
        Ok(self.end.last())
    }

    async fn scan(&self, after: Position, limit: usize) -> Result<Vec<Delivery>, LogError> {
        self.records.blocking(move |records| records.scan(after, limit)).await
    }

    fn expect_at_least(&self, position: Position) {
        self.end.expect_at_least(position);
    }

    async fn follow(&self, conversation: ConversationId) -> Result<Feed, LogError> {
        Ok(Followers::follow(&self.followers, conversation))
    }

    async fn follow_all(&self, name: &str) -> Result<Feed, LogError> {
        Ok(Followers::follow_all(&self.followers, name))
    }

    async fn signal(&self, signal: &Signal) -> Result<(), LogError> {
        self.followers.tell(signal.conversation, &Heard::Signal(signal.clone()));
        Ok(())
    }
}

#[async_trait]
impl Mend for Embedded {
    async fn put_back(&self, last: Position, substitutes: &[Substitute]) -> Result<Vec<bool>, LogError> {
        let mut outcomes = Vec::with_capacity(substitutes.len());
        for (substitute, position) in substitutes.iter().zip(last.get() + 1..) {
            let record = match substitute {
                Substitute::Event(event) => Record::of(event),
                Substitute::Filler => {
                    let (id, bytes) = (EventId::fresh(), substitute.encode());
                    Record { id, conversation: 0, bytes, event: None, cause: None }
                }
            };
            outcomes.push(self.send_record(record, Place::At(position)).await?);
        }
        let mut stand = Vec::with_capacity(outcomes.len());
        for outcome in outcomes {
            stand.push(outcome.await.map_err(|_| writer_gone())??.is_some());
        }
        Ok(stand)
    }
}

/// What has become of a record.
type Outcome = oneshot::Receiver<Result<Option<Appended>, LogError>>;

/// What is to be appended.
struct Record {
    id: EventId,
    conversation: u64,
    bytes: Vec<u8>,
    event: Option<Event>,
    cause: Option<TraceContext>,
}

impl Record {
    fn of(event: &Event) -> Self {
        Self {
            id: event.id,
            conversation: event.conversation.get(),
            bytes: record::encode_event(event),
            event: Some(event.clone()),
            cause: None,
        }
    }
}

#[async_trait]
impl Backlog for Embedded {
    async fn consume(&self) -> Result<Box<dyn Consumer>, LogError> {
        let commands = self.commands.as_ref().expect("there until the log is dropped").downgrade();
        let (end, causes) = (Arc::clone(&self.end), Arc::clone(&self.causes));
        Ok(Box::new(Reader::new(self.records.clone(), self.desk.clone(), end, causes, commands)))
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
