//! What the services ask of a log.

use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use natter_model::event::{Entry, Event, Signal};
use natter_model::id::{ConversationId, Position};
use natter_proto::record;
use natter_trace::context::TraceContext;
use natter_trace::spans;
use tracing::Span;

/// The conversations' log: ordered, durable once acknowledged.
///
/// It knows the highest position it was told of or acknowledged. While it ends before that one, its tail is lost, and
/// appends are refused with [`LogError::WentBackwards`]: they would be given positions that were used before. It is as
/// before once it ends there again, or further on.
#[async_trait]
pub trait Log: Send + Sync + 'static {
    /// Returns once the event is durable. The same event id again (within the log's memory of ids, two minutes at
    /// least) yields the same position and stores nothing.
    async fn append(&self, event: &Event) -> Result<Appended, LogError>;

    /// Up to `limit` entries of the conversation after `after`, oldest first, and all that were acknowledged before the
    /// call. Fewer than `limit`: there are no more. Records that are no events are passed over.
    ///
    /// Each entry's `previous` is the entry before it in this answer. That of the first is the last record at or before
    /// `after` that the log still holds; so if it is not `after`, and an entry stood there once, the log has let go of
    /// that one and perhaps of others behind it.
    async fn read(&self, conversation: ConversationId, after: Position, limit: usize) -> Result<Vec<Entry>, LogError>;

    /// The entry at exactly this position, of whichever conversation; a filler is none. Its `previous` is not filled in.
    async fn entry(&self, position: Position) -> Result<Option<Entry>, LogError>;

    /// Where the conversation's last record stands, be it readable or not; [`Position::START`] if the log holds none.
    /// Counts every append that was acknowledged before the call.
    async fn head(&self, conversation: ConversationId) -> Result<Position, LogError>;

    /// Everything behind this position that was ever appended, to whichever conversation, is still in the log. An error
    /// while the log went backwards: then nobody knows.
    async fn oldest(&self) -> Result<Position, LogError>;

    /// Where the log's last record stands, or stood; the next one comes behind it. Counts every append that was
    /// acknowledged before the call.
    async fn last(&self) -> Result<Position, LogError>;

    /// Up to `limit` records after `after`, of all conversations, oldest first, and all that were acknowledged before
    /// the call. Fewer than `limit`: there are no more.
    async fn scan(&self, after: Position, limit: usize) -> Result<Vec<Delivery>, LogError>;

    /// The log has come to this position before; so every acknowledged append says too.
    fn expect_at_least(&self, position: Position);

    /// Everything that happens in the conversation from now on: an entry appended after this returns is in the feed,
    /// unless the feed had to skip it. Each entry names the record before it, so that the reader can tell. One appended
    /// shortly before may be in it too.
    async fn follow(&self, conversation: ConversationId) -> Result<Feed, LogError>;

    /// Everything that happens in all conversations from now on, as [`Log::follow`] tells it of one; but a signal goes to
    /// only one of those who follow all under the same name, which is made of ASCII letters and hyphens.
    async fn follow_all(&self, name: &str) -> Result<Feed, LogError>;

    /// Tells those who follow the conversation now. Nothing is stored, and nobody may be listening.
    async fn signal(&self, signal: &Signal) -> Result<(), LogError>;
}

/// The same log from the side that stores it: one shared reading position, moved by acknowledging.
#[async_trait]
pub trait Backlog: Send + Sync + 'static {
    /// A new reader of the shared position. Any number may read side by side; each record goes to one of them, and
    /// comes again (to any) if that one neither acknowledges it in time nor lives.
    async fn consume(&self) -> Result<Box<dyn Consumer>, LogError>;

    /// Every record up to here has been acknowledged. Never ahead of the truth, perhaps behind it.
    async fn floor(&self) -> Result<Position, LogError>;
}

/// One reader of the backlog.
#[async_trait]
pub trait Consumer: Send {
    /// Waits for records, then returns those at hand, 1 to `limit`, in order.
    /// Safe to drop while waiting: nothing is lost. After an error, call again: the consumer goes on when the log does.
    /// Errs at least once whenever the log may have been another one meanwhile, before it hands out any of its records.
    async fn next(&mut self, limit: usize) -> Result<Vec<Delivery>, LogError>;

    /// These records are stored. Returns once the log knows, so that they will not come again.
    async fn acknowledge(&mut self, positions: &[Position]) -> Result<(), LogError>;

    /// These records could not be stored now: they come again after a while.
    async fn hand_back(&mut self, positions: &[Position]) -> Result<(), LogError>;
}

/// A record on its way into the store.
#[derive(Debug, Clone)]
pub enum Delivery {
    /// An entry, and what put it there, if that is traced. Its `previous` is not filled in.
    Entry(Entry, Option<TraceContext>),
    /// A record that is no event, and never will be.
    Unreadable {
        /// Where it stands.
        position: Position,
        /// What stands there.
        bytes: Bytes,
        /// What is wrong with it.
        reason: String,
    },
    /// A record that says nothing and belongs to no conversation: it only keeps its position from being used again.
    Filler {
        /// Where it stands.
        position: Position,
    },
}

impl Delivery {
    /// What the bytes at this position are, and what put them there.
    pub fn of_record(position: Position, bytes: &Bytes, cause: Option<TraceContext>) -> Self {
        match record::decode_event(bytes) {
            Ok(event) => Self::Entry(Entry { position, previous: Position::START, event }, cause),
            Err(_) if record::is_filler(bytes) => Self::Filler { position },
            Err(reason) => Self::Unreadable { position, bytes: bytes.clone(), reason: reason.to_string() },
        }
    }

    /// A span for what is done with the record (`fold`, say) together with those around it, `records` in all. `None`: nobody
    /// traces it.
    pub fn span(&self, operation: &str, records: usize) -> Option<Span> {
        let Self::Entry(entry, Some(cause)) = self else { return None };
        let span = spans::process(operation, cause, entry.event.conversation, entry.position);
        spans::batched(&span, records);
        Some(span)
    }

    /// Where the record stands.
    pub fn position(&self) -> Position {
        match self {
            Self::Entry(entry, _) => entry.position,
            Self::Unreadable { position, .. } | Self::Filler { position } => *position,
        }
    }
}

/// What the log did with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Where the event stands.
    pub position: Position,
    /// It stood there already.
    pub duplicate: bool,
}

/// What a follower hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// An event was appended, and by what, if that is traced.
    Entry(Entry, Option<TraceContext>),
    /// Somebody signalled.
    Signal(Signal),
    /// The line to the log was down: entries may be missing before the next one. Ask for the head.
    Interrupted,
}

/// What happens in one conversation, as it happens. Dropping it ends following.
pub struct Feed(Pin<Box<dyn Stream<Item = Heard> + Send>>);

impl Feed {
    /// A feed of what the stream yields.
    pub fn new(stream: impl Stream<Item = Heard> + Send + 'static) -> Self {
        Self(Box::pin(stream))
    }

    /// What happens next. `None`: the log has let go of this follower; follow again.
    pub async fn next(&mut self) -> Option<Heard> {
        self.0.next().await
    }
}

/// Why the log did not do it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LogError {
    /// The log cannot be reached, or did not answer in time. An append may or may not have happened: send it again.
    #[error("the log is unavailable: {0}")]
    Unavailable(String),
    /// The log takes no more: a size or retention limit.
    #[error("the log is full: {0}")]
    Full(String),
    /// The record is larger than the log takes.
    #[error("the event is too large for the log")]
    TooLarge,
    /// The log has lost its tail, or was made anew: it takes nothing, so that no position is used twice.
    #[error(
        "the log went backwards: it ends at {found}, but has been at {known}; it takes nothing until \
         `natter repair --past {known}` has been run"
    )]
    WentBackwards {
        /// The highest position that it is known to have come to.
        known: Position,
        /// Where it ends now.
        found: Position,
    },
    /// The log is not set up as Natter needs it.
    #[error("the log is not provisioned: {0}")]
    NotProvisioned(String),
    /// What the log holds at this position is no event.
    #[error("the log holds no readable event at {position}: {reason}")]
    Unreadable {
        /// Where.
        position: Position,
        /// What is wrong with it.
        reason: String,
    },
}

impl LogError {
    /// Which kind of error it is, in a word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::Full(_) => "full",
            Self::TooLarge => "too_large",
            Self::WentBackwards { .. } => "went_backwards",
            Self::NotProvisioned(_) => "not_provisioned",
            Self::Unreadable { .. } => "unreadable",
        }
    }
}
