//! Everything in one SQLite file, for a chat in one process.

mod accounts;
mod apply;
mod error;
mod evidence;
mod import;
mod messages;
mod rights;
mod row;

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, Transaction};

use crate::error::StoreError;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");

/// Longest wait for another process that writes to the file, or for a connection.
const BUSY: Duration = Duration::from_secs(5);

/// Connections that read. Readers neither wait for the writer nor for each other.
const N_READERS: u32 = 4;

/// Both stores in one file. What a call has written is on disk when it returns. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    /// One connection, so that writers queue here rather than in SQLite.
    writer: SqlitePool,
    readers: SqlitePool,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder is missing, or this process may not write there.
    #[error("{path} cannot be written: {reason}")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The file holds something else, or is damaged.
    #[error("{path} is not a SQLite database: {reason}")]
    NotADatabase {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        reason: String,
    },
    /// A later version of Natter has changed its tables, or another program has made them.
    #[error("the tables in {path} are not of this version of Natter: {reason}")]
    OtherVersion {
        /// The file.
        path: PathBuf,
        /// What differs.
        reason: String,
    },
    /// Something else: the disk is full, another process holds the file.
    #[error("{path} cannot be opened: {reason}")]
    Failed {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        reason: String,
    },
}

impl SqliteStore {
    /// Opens the file, made if it is missing (its folder is not), and brings its tables up to date.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY);
        let pool = |n_connections| {
            SqlitePoolOptions::new()
                .max_connections(n_connections)
                .acquire_timeout(BUSY)
                .idle_timeout(None)
                .max_lifetime(None)
                .test_before_acquire(false)
        };
        let writer = pool(1).connect_with(options.clone()).await.map_err(|error| OpenError::new(path, &error))?;
        MIGRATIONS.run(&writer).await.map_err(|error| OpenError::migrating(path, error))?;
        let readers = pool(N_READERS).connect_lazy_with(options.create_if_missing(false).pragma("query_only", "on"));
        Ok(Self { writer, readers })
    }

    /// Lets the file go: further calls fail. Returns when nothing is left beside the file itself.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// A transaction that may write from the start: one that began by reading could not wait for another process.
    async fn write(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.writer.begin_with("BEGIN IMMEDIATE").await
    }

    async fn check_ready(&self) -> Result<(), StoreError> {
        let ready = sqlx::query("SELECT 1 FROM erasures LIMIT 1").fetch_optional(&self.readers).await;
        ready.map(drop).map_err(error::translate)
    }
}

impl OpenError {
    fn new(path: &Path, error: &sqlx::Error) -> Self {
        let path = path.to_owned();
        let reason = error.to_string();
        match error::primary_code(error) {
            Some(error::PERM | error::READONLY | error::CANTOPEN) => Self::Unwritable { path, reason },
            Some(error::NOTADB | error::CORRUPT) => Self::NotADatabase { path, reason },
            _ => Self::Failed { path, reason },
        }
    }

    fn migrating(path: &Path, error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => Self::new(path, &error),
            other => Self::OtherVersion { path: path.to_owned(), reason: other.to_string() },
        }
    }
}

#[cfg(test)]
mod tests;
