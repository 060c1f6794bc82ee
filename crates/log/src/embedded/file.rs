//! The log's file: its tables, and opening it.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use natter_model::id::Position;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

/// Position to record.
pub(super) const RECORDS: TableDefinition<u64, &[u8]> = TableDefinition::new("records");
/// Conversation and position of each record.
pub(super) const CONVERSATIONS: TableDefinition<(u64, u64), ()> = TableDefinition::new("conversations");
/// Event id to position.
pub(super) const EVENT_IDS: TableDefinition<&[u8; 16], u64> = TableDefinition::new("event_ids");
/// Positions above the floor that have been acknowledged.
pub(super) const ACKNOWLEDGED: TableDefinition<u64, ()> = TableDefinition::new("acknowledged");
/// Single numbers, by the names below.
pub(super) const STATE: TableDefinition<&str, u64> = TableDefinition::new("state");
/// The position that the next record gets. Never goes down, whatever happens to records.
pub(super) const NEXT: &str = "next";
/// Every record up to here has been acknowledged.
pub(super) const FLOOR: &str = "floor";
const FORMAT: &str = "format";
const KNOWN_FORMAT: u64 = 1;

/// Memory for pages of the file, in bytes: the hot end of the log and its indexes. The kernel caches the rest.
const CACHE_BYTES: usize = 64 << 20;

/// Why the log's file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or this one, has it open.
    #[error("{} is in use by another process", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The folder is missing, the file may not be written, the disk failed.
    #[error("{} cannot be opened: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is not a log, or was one and is no longer readable.
    #[error("{} is damaged, or is not a log: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// It was written by a version of this program that stores logs in another way.
    #[error("{} has format {found}, which this version cannot read", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// The format's number.
        found: u64,
    },
}

/// An open file and where it stands.
pub(super) struct Opened {
    pub(super) database: Database,
    /// The position that the next record gets.
    pub(super) next: u64,
    /// Every record up to here has been acknowledged.
    pub(super) floor: u64,
    /// Those above the floor that have been too.
    pub(super) acknowledged: BTreeSet<u64>,
}

/// Opens the file, or makes a new one whose first record will stand at `first`.
pub(super) fn open(path: &Path, first: Position) -> Result<Opened, OpenError> {
    // redb may panic on a file that something else has written to.
    let database = catch_unwind(|| Database::builder().set_cache_size(CACHE_BYTES).create(path))
        .map_err(|_| damaged(path, &"its pages contradict each other"))?
        .map_err(|error| open_error(path, error.into()))?;
    let format = prepare(&database, first).map_err(|error| open_error(path, error))?;
    if format != KNOWN_FORMAT {
        return Err(OpenError::UnknownFormat { path: path.to_owned(), found: format });
    }
    load(database).map_err(|error| open_error(path, error))
}

/// Makes the tables that are missing and answers the file's format.
fn prepare(database: &Database, first: Position) -> Result<u64, redb::Error> {
    let transaction = database.begin_write()?;
    let format = {
        let mut state = transaction.open_table(STATE)?;
        let found = state.get(FORMAT)?.map(|format| format.value());
        match found {
            Some(format) => format,
            None => {
                let first = first.get().max(1);
                state.insert(FORMAT, KNOWN_FORMAT)?;
                state.insert(NEXT, first)?;
                state.insert(FLOOR, first - 1)?;
                KNOWN_FORMAT
            }
        }
    };
    if format == KNOWN_FORMAT {
        transaction.open_table(RECORDS)?;
        transaction.open_table(CONVERSATIONS)?;
        transaction.open_table(EVENT_IDS)?;
        transaction.open_table(ACKNOWLEDGED)?;
    }
    transaction.commit()?;
    Ok(format)
}

fn load(database: Database) -> Result<Opened, redb::Error> {
    let transaction = database.begin_read()?;
    let state = transaction.open_table(STATE)?;
    let number = |name| match state.get(name)? {
        Some(number) => Ok(number.value()),
        None => Err(redb::Error::Corrupted(format!("{name} is missing"))),
    };
    let (next, floor) = (number(NEXT)?, number(FLOOR)?);
    if transaction.open_table(RECORDS)?.last()?.is_some_and(|(last, _)| last.value() >= next) {
        return Err(redb::Error::Corrupted("it holds records beyond its end".to_owned()));
    }
    let mut acknowledged = BTreeSet::new();
    for row in transaction.open_table(ACKNOWLEDGED)?.range(floor..)? {
        acknowledged.insert(row?.0.value());
    }
    drop((state, transaction));
    Ok(Opened { database, next, floor, acknowledged })
}

fn open_error(path: &Path, error: redb::Error) -> OpenError {
    match error {
        redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => {
            OpenError::InUse { path: path.to_owned() }
        }
        redb::Error::Io(source) if is_about_content(&source) => damaged(path, &source),
        redb::Error::Io(source) => OpenError::Io { path: path.to_owned(), source },
        other => damaged(path, &other),
    }
}

/// redb reports a file that is too short or is no database as an IO error.
fn is_about_content(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}

fn damaged(path: &Path, reason: &dyn Display) -> OpenError {
    OpenError::Damaged { path: path.to_owned(), reason: reason.to_string() }
}
