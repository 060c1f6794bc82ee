//! Rows that Natter cannot take, and why.

use std::fmt;

use natter_model::id::MAX_ID;
use natter_model::timestamp::Timestamp;

use crate::cells::Cells;

/// What a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Kind {
    Account,
    Conversation,
    Message,
    RefreshToken,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Account => "account",
            Self::Conversation => "conversation",
            Self::Message => "message",
            Self::RefreshToken => "refresh token",
        })
    }
}

/// A row that does not fit, and is left where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// What it is.
    pub kind: Kind,
    /// Its id in Django's table.
    pub id: i64,
    /// What rule it breaks, for a person to read; without content.
    pub reason: String,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.kind, self.id, self.reason)
    }
}

/// Some rows in the order of their ids, each as Natter has it or with why it cannot.
#[derive(Debug)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<Result<T, Unfit>>,
    /// Where the next page goes on; `None`: this was the last one.
    pub next: Option<i64>,
}

impl<T> Page<T> {
    /// Each row with its id, of at most `limit`.
    pub(crate) fn of(rows: Vec<(i64, Result<T, Unfit>)>, limit: usize) -> Self {
        let next = rows.last().map(|(id, _)| *id).filter(|_| rows.len() >= limit);
        Self { rows: rows.into_iter().map(|(_, row)| row).collect(), next }
    }
}

/// What a column holds that may not be empty.
pub(crate) fn present<T>(column: &str, value: Result<Option<T>, String>) -> Result<T, String> {
    value?.ok_or_else(|| format!("its {column} is empty"))
}

/// An id that JavaScript holds exactly.
pub(crate) fn id<T: TryFrom<i64>>(what: &str, id: i64) -> Result<T, String> {
    T::try_from(id).map_err(|_| format!("{what} {id} does not lie between 1 and {MAX_ID}"))
}

/// A text without U+0000, which Postgres does not take.
pub(crate) fn text(row: &dyn Cells, column: &str) -> Result<String, String> {
    let text = present(column, row.text(column))?;
    match text.contains('\0') {
        true => Err(format!("its {column} contains U+0000")),
        false => Ok(text),
    }
}

/// A moment that every database can hold.
pub(crate) fn time(row: &dyn Cells, column: &str) -> Result<Timestamp, String> {
    let time = present(column, row.time(column))?;
    match natter_store::check::TIMES.contains(&time.as_micros()) {
        true => Ok(time),
        false => Err(format!("its {column} lies outside the years 1 to 9999")),
    }
}
