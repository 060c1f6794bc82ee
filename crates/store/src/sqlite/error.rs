//! SQLite's result codes as reasons that a caller can act upon.

use crate::error::StoreError;

// https://www.sqlite.org/rescode.html
const ERROR: i32 = 1;
pub(super) const PERM: i32 = 3;
pub(super) const READONLY: i32 = 8;
pub(super) const CORRUPT: i32 = 11;
pub(super) const CANTOPEN: i32 = 14;
const TOOBIG: i32 = 18;
const CONSTRAINT: i32 = 19;
const MISMATCH: i32 = 20;
pub(super) const NOTADB: i32 = 26;

/// The low byte of the result code: the kind of error.
pub(super) fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

/// Only what is known to be the data's fault is refused: anything else may go away.
pub(super) fn translate(error: sqlx::Error) -> StoreError {
    let reason = error.to_string();
    match error {
        sqlx::Error::ColumnNotFound(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            StoreError::NotMigrated(reason)
        }
        error => match primary_code(&error) {
            Some(ERROR) if reason.contains("no such") => StoreError::NotMigrated(reason),
            Some(CONSTRAINT | TOOBIG | MISMATCH) => StoreError::Rejected(reason),
            _ => StoreError::Unavailable(reason),
        },
    }
}
