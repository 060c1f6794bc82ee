//! The mirror's connection to either database, and its transactions.

use natter_model::timestamp::Timestamp;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection as _, Postgres, Sqlite, Transaction};

use crate::cells::Cells;
use crate::database::Database;
use crate::mirror::error::MirrorError;
use crate::value::Time;

/// A process that hangs or whose host is gone must hold neither locks nor the place of the next one for long.
const SESSION: &str = "
    SET statement_timeout = '30s'; SET idle_in_transaction_session_timeout = '30s';
    SET tcp_keepalives_idle = 20; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 4";

/// A connection that nobody else uses.
pub(crate) enum Line {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

/// A transaction. Dropping it takes back what was done.
pub(crate) enum Work<'c> {
    Postgres(Transaction<'c, Postgres>),
    Sqlite(Transaction<'c, Sqlite>),
}

/// A statement's parameter.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'v> {
    Int(i64),
    Text(&'v str),
    Time(Timestamp),
    /// Or NULL.
    MaybeTime(Option<Timestamp>),
}

macro_rules! bind {
    ($sql:expr, $values:expr) => {
        $values.iter().fold(sqlx::query(AssertSqlSafe($sql)), |query, value| match *value {
            Value::Int(number) => query.bind(number),
            Value::Text(text) => query.bind(text),
            Value::Time(at) => query.bind(Time(at)),
            Value::MaybeTime(at) => query.bind(at.map(Time)),
        })
    };
}

impl Line {
    pub(crate) async fn take(database: &Database) -> Result<Self, MirrorError> {
        let mut line = match database {
            Database::Postgres(pool) => Self::Postgres(pool.acquire().await?.detach()),
            Database::Sqlite(pool) => Self::Sqlite(pool.acquire().await?.detach()),
        };
        if matches!(line, Self::Postgres(_)) {
            line.run(SESSION).await?;
        }
        Ok(line)
    }

    /// Statements without parameters.
    pub(crate) async fn run(&mut self, sql: &'static str) -> Result<(), MirrorError> {
        match self {
            Self::Postgres(connection) => sqlx::raw_sql(sql).execute(connection).await.map(drop)?,
            Self::Sqlite(connection) => sqlx::raw_sql(sql).execute(connection).await.map(drop)?,
        }
        Ok(())
    }

    /// In SQLite the file is locked for writing at once: a transaction that has read cannot always begin to write.
    pub(crate) async fn begin(&mut self) -> Result<Work<'_>, MirrorError> {
        Ok(match self {
            Self::Postgres(connection) => Work::Postgres(connection.begin().await?),
            Self::Sqlite(connection) => Work::Sqlite(connection.begin_with("BEGIN IMMEDIATE").await?),
        })
    }
}

impl Work<'_> {
    /// How many rows a statement changed.
    pub(crate) async fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64, MirrorError> {
        Ok(match self {
            Self::Postgres(work) => bind!(sql, values).execute(&mut **work).await?.rows_affected(),
            Self::Sqlite(work) => bind!(sql, values).execute(&mut **work).await?.rows_affected(),
        })
    }

    /// What is made of the rows that a statement answers with.
    pub(crate) async fn rows<T>(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        decode: impl Fn(&dyn Cells) -> Result<T, String>,
    ) -> Result<Vec<T>, MirrorError> {
        let rows: Result<Vec<T>, String> = match self {
            Self::Postgres(work) => {
                let rows = bind!(sql, values).fetch_all(&mut **work).await?;
                rows.iter().map(|row| decode(row)).collect()
            }
            Self::Sqlite(work) => {
                let rows = bind!(sql, values).fetch_all(&mut **work).await?;
                rows.iter().map(|row| decode(row)).collect()
            }
        };
        rows.map_err(MirrorError::Unavailable)
    }

    /// The column `found` of the rows that a statement answers with, NULLs left out.
    pub(crate) async fn numbers(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Vec<i64>, MirrorError> {
        Ok(self.rows(sql, values, |row| row.int("found")).await?.into_iter().flatten().collect())
    }

    pub(crate) async fn commit(self) -> Result<(), MirrorError> {
        match self {
            Self::Postgres(work) => work.commit().await?,
            Self::Sqlite(work) => work.commit().await?,
        }
        Ok(())
    }

    pub(crate) fn is_in_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }
}
