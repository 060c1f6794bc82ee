//! The thread that alone writes to the log's file.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use natter_model::event::{Entry, Event};
use natter_model::id::{EventId, Position};
use natter_trace::context::TraceContext;
use redb::{Database, ReadableTable, Table, WriteTransaction};
use tokio::sync::{mpsc, oneshot, watch};

use super::causes::Causes;
use super::desk::Desk;
use super::end::End;
use super::file::{ACKNOWLEDGED, CONVERSATIONS, EVENT_IDS, FLOOR, NEXT, RECORDS, STATE};
use super::followers::Followers;
use super::records::log_error;
use crate::port::{Appended, Heard, LogError};

/// Commands that share one fsync. Enough that the disk is not what limits, few enough that a batch takes milliseconds.
const BATCH: usize = 256;

/// What the writer can be asked to do.
pub(super) enum Command {
    Append(Box<Append>),
    Acknowledge(Acknowledge),
}

/// Put a record at the end.
pub(super) struct Append {
    pub(super) id: EventId,
    /// 0: it is in none.
    pub(super) conversation: u64,
    pub(super) record: Vec<u8>,
    /// What the record holds, for those who follow; `None` if it is no event.
    pub(super) event: Option<Event>,
    /// What it is appended for, if that is traced.
    pub(super) cause: Option<TraceContext>,
    pub(super) place: Place,
    /// `None`: the end is elsewhere than the place.
    pub(super) reply: oneshot::Sender<Result<Option<Appended>, LogError>>,
}

/// Where a record may be put.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// At the end, unless the id has a place already.
    Next,
    /// At the end if that is here, whatever the id.
    At(u64),
}

/// Remember that these records are stored elsewhere.
pub(super) struct Acknowledge {
    pub(super) positions: Vec<u64>,
    pub(super) reply: oneshot::Sender<Result<(), LogError>>,
}

/// Writes what comes through the queue, until nobody can send any more, or the disk refuses.
pub(super) struct Writer {
    pub(super) database: Arc<Database>,
    pub(super) queue: mpsc::Receiver<Command>,
    /// The position that the next record gets.
    pub(super) next: u64,
    pub(super) followers: Arc<Followers>,
    pub(super) desk: watch::Sender<Desk>,
    pub(super) floor: Arc<AtomicU64>,
    pub(super) end: Arc<End>,
    pub(super) causes: Arc<Causes>,
}

/// What a batch has come to, once it is on the disk.
struct Written {
    next: u64,
    floor: u64,
    /// For each append of the batch, in order: what it came to, and the record before it in its conversation.
    appended: Vec<Option<(Appended, Position)>>,
}

impl Writer {
    pub(super) fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        while self.queue.blocking_recv_many(&mut batch, BATCH) > 0 {
            match self.write(&batch) {
                Ok(written) => self.announce(batch.drain(..), written),
                Err(error) => {
                    tracing::error!(%error, "the log cannot be written any more");
                    refuse(batch.drain(..), &log_error(error));
                    break;
                }
            }
        }
        self.desk.send_modify(Desk::close);
        self.followers.close();
    }

    fn write(&self, batch: &[Command]) -> Result<Written, redb::Error> {
        let transaction = self.database.begin_write()?;
        let written = self.fill(&transaction, batch)?;
        transaction.commit()?;
        Ok(written)
    }

    fn fill(&self, transaction: &WriteTransaction, batch: &[Command]) -> Result<Written, redb::Error> {
        let mut records = transaction.open_table(RECORDS)?;
        let mut conversations = transaction.open_table(CONVERSATIONS)?;
        let mut event_ids = transaction.open_table(EVENT_IDS)?;
        let mut acknowledged = transaction.open_table(ACKNOWLEDGED)?;
        let mut written = Written {
            next: self.next,
            floor: self.floor.load(Ordering::Acquire),
            appended: Vec::with_capacity(batch.len()),
        };
        for command in batch {
            match command {
                Command::Append(append) => {
                    let before = event_ids.get(append.id.as_bytes())?.map(|position| Position::new(position.value()));
                    let appended = match (append.place, before) {
                        (Place::At(position), _) if position != written.next => None,
                        (Place::Next, Some(position)) => {
                            Some((Appended { position, duplicate: true }, Position::START))
                        }
                        (_, before) => {
                            let position = written.next;
                            let previous = last_of(&conversations, append.conversation)?;
                            if before.is_none() {
                                event_ids.insert(append.id.as_bytes(), position)?;
                            }
                            records.insert(position, append.record.as_slice())?;
                            conversations.insert((append.conversation, position), ())?;
                            written.next += 1;
                            Some((Appended { position: Position::new(position), duplicate: false }, previous))
                        }
                    };
                    written.appended.push(appended);
                }
                Command::Acknowledge(acknowledge) => {
                    for &position in acknowledge.positions.iter().filter(|position| **position > written.floor) {
                        acknowledged.insert(position, ())?;
                    }
                    while acknowledged.remove(written.floor + 1)?.is_some() {
                        written.floor += 1;
                    }
                }
            }
        }
        let mut state = transaction.open_table(STATE)?;
        state.insert(NEXT, written.next)?;
        state.insert(FLOOR, written.floor)?;
        Ok(written)
    }

    /// Tells everybody. Followers first: whoever appended may look at its own feed right after.
    fn announce(&mut self, batch: impl Iterator<Item = Command>, written: Written) {
        self.next = written.next;
        self.floor.store(written.floor, Ordering::Release);
        self.end.move_to(self.next - 1);
        let mut appended = written.appended.into_iter();
        for command in batch {
            match command {
                Command::Append(append) => {
                    let appended = appended.next().expect("there is one for each append of the batch");
                    if let (Some(event), Some((Appended { position, duplicate: false }, previous))) =
                        (append.event, appended)
                    {
                        let conversation = event.conversation;
                        if let Some(cause) = &append.cause {
                            self.causes.note(position, cause.clone());
                        }
                        let entry = Entry { position, previous, event };
                        self.followers.tell(conversation, &Heard::Entry(entry, append.cause));
                    }
                    // Whoever no longer waits will not miss the answer.
                    let _ = append.reply.send(Ok(appended.map(|(appended, _)| appended)));
                }
                Command::Acknowledge(acknowledge) => {
                    let _ = acknowledge.reply.send(Ok(()));
                }
            }
        }
        let head = self.next - 1;
        self.desk.send_if_modified(|desk| desk.extend(head));
    }
}

fn last_of(conversations: &Table<'_, (u64, u64), ()>, conversation: u64) -> Result<Position, redb::Error> {
    match conversations.range((conversation, 0)..=(conversation, u64::MAX))?.next_back() {
        Some(row) => Ok(Position::new(row?.0.value().1)),
        None => Ok(Position::START),
    }
}

fn refuse(batch: impl Iterator<Item = Command>, error: &LogError) {
    for command in batch {
        let error = error.clone();
        match command {
            Command::Append(append) => drop(append.reply.send(Err(error))),
            Command::Acknowledge(acknowledge) => drop(acknowledge.reply.send(Err(error))),
        }
    }
}
