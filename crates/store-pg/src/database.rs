//! Connections to one schema of one Postgres server, and how long they may take.

use std::ops::{Deref, DerefMut};
use std::str::FromStr;
use std::time::Duration;

use natter_store::error::StoreError;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgRow};
use sqlx::query::Query;
use sqlx::{Connection as _, Postgres, Row as _};

use crate::error::translate;
use crate::migrate::Schema;

/// Connections per store and process. A server takes 100 unless told otherwise, and one connection serves some
/// thousand questions a second.
const MAX_CONNECTIONS: u32 = 10;

/// Longest wait for a connection, new ones included.
const ACQUIRE: Duration = Duration::from_secs(3);

/// Longest wait for a sign of life from a connection that was idle. A line that was cut without a word gives none; a few
/// of these fit into [`ACQUIRE`], so that whoever comes first clears away several.
const SIGN_OF_LIFE: Duration = Duration::from_millis(500);

/// A connection that was idle for less than this is taken to be alive.
const FRESH: Duration = Duration::from_secs(1);

/// Longest time one statement runs in the server. Below [`ANSWER`], so that a server that lives says so itself.
const STATEMENT_MILLIS: u32 = 4_000;

/// Longest wait for an answer, the connection included: a server that hangs says nothing.
pub(crate) const ANSWER: Duration = Duration::from_secs(5);

/// One statement with its parameters.
pub(crate) type Statement<'q> = Query<'q, Postgres, PgArguments>;

/// A string that is no Postgres URL. Tells what is wrong without showing the URL, which may hold a password.
#[derive(Debug, Clone, thiserror::Error)]
#[error("not a Postgres URL (postgres://user:password@host:port/database): {0}")]
pub struct BadUrl(String);

/// The connections of one store.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pool: PgPool,
    schema: &'static Schema,
}

impl Database {
    /// Connects when first asked.
    pub(crate) fn connect_lazy(url: &str, schema: &'static Schema) -> Result<Self, BadUrl> {
        let options = parse(url)?.options([
            ("search_path", schema.name.to_owned()),
            ("statement_timeout", STATEMENT_MILLIS.to_string()),
            // A process that died in the middle of a transaction must not hold its locks for long.
            ("idle_in_transaction_session_timeout", STATEMENT_MILLIS.to_string()),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(MAX_CONNECTIONS)
            .acquire_timeout(ACQUIRE)
            .test_before_acquire(false)
            .before_acquire(|connection, metadata| Box::pin(is_alive(connection, metadata.idle_for)))
            .connect_lazy_with(options.application_name(schema.name));
        Ok(Self { pool, schema })
    }

    /// The rows that one statement answers with.
    pub(crate) async fn rows(&self, query: Statement<'_>) -> Result<Vec<PgRow>, StoreError> {
        self.lend(async |connection| query.fetch_all(connection).await).await
    }

    /// The only row that one statement answers with, or none.
    pub(crate) async fn row(&self, query: Statement<'_>) -> Result<Option<PgRow>, StoreError> {
        Ok(self.rows(query).await?.pop())
    }

    /// How many rows one statement changed.
    pub(crate) async fn execute(&self, query: Statement<'_>) -> Result<u64, StoreError> {
        self.lend(async |connection| Ok(query.execute(connection).await?.rows_affected())).await
    }

    /// What several statements on one connection lead to, in the time that one answer may take.
    pub(crate) async fn lend<T>(
        &self,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, StoreError> {
        in_time(ANSWER, async {
            let mut lease = self.lease().await?;
            let outcome = work(&mut lease).await?;
            lease.give_back();
            Ok(outcome)
        })
        .await
    }

    /// A connection for several statements that may take longer. Use it within [`in_time`].
    pub(crate) async fn lease(&self) -> Result<Lease, sqlx::Error> {
        Ok(Lease { connection: Some(self.pool.acquire().await?) })
    }

    /// The server answers, and its tables are at least of the version this program was made for: a later one has only
    /// added to them.
    pub(crate) async fn ready(&self) -> Result<(), StoreError> {
        let row = self.row(sqlx::query("SELECT max(version) AS version FROM _sqlx_migrations WHERE success")).await?;
        let version: Option<i64> = decoded(row.map_or(Ok(None), |row| row.try_get("version")))?;
        let needed = self.schema.version();
        match version {
            Some(version) if version >= needed => Ok(()),
            _ => {
                let version = version.unwrap_or_default();
                let schema = self.schema.name;
                Err(StoreError::NotMigrated(format!("schema {schema} is at version {version}, {needed} is needed")))
            }
        }
    }
}

/// An error has the connection closed at once, without waiting for the server's goodbye.
async fn is_alive(connection: &mut PgConnection, idle_for: Duration) -> Result<bool, sqlx::Error> {
    if idle_for >= FRESH {
        tokio::time::timeout(SIGN_OF_LIFE, connection.ping()).await.map_err(|_| sqlx::Error::PoolTimedOut)??;
    }
    Ok(true)
}

/// Runs a question to its end, or to that of our patience.
pub(crate) async fn in_time<T>(
    patience: Duration,
    question: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(patience, question).await {
        Ok(answer) => answer.map_err(|error| translate(&error)),
        Err(_) => Err(StoreError::Unavailable(format!("no answer from Postgres within {patience:?}"))),
    }
}

/// What came out of a row that the server answered with.
pub(crate) fn decoded<T>(value: Result<T, sqlx::Error>) -> Result<T, StoreError> {
    value.map_err(|error| translate(&error))
}

/// The options that a URL names.
pub(crate) fn parse(url: &str) -> Result<PgConnectOptions, BadUrl> {
    if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
        return Err(BadUrl("it begins with another scheme".to_owned()));
    }
    PgConnectOptions::from_str(url).map_err(|error| BadUrl(error.to_string()))
}

/// A connection that is only used again if its work came to an end. One that was given up waiting for an answer is
/// closed: kept, it would block the pool for as long as its server hangs.
pub(crate) struct Lease {
    connection: Option<PoolConnection<Postgres>>,
}

impl Lease {
    /// The work came to an end.
    pub(crate) fn give_back(mut self) {
        self.connection = None;
    }
}

const LEASED: &str = "a lease holds its connection until it is given back";

impl Deref for Lease {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection.as_ref().expect(LEASED)
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect(LEASED)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            // Closed like this it waits for no goodbye, and another one may take its place in the pool.
            drop(connection.detach());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_url_is_told_without_its_password() {
        for url in ["", "localhost", "mysql://u:hunter2@h/db", "postgres://u:hunter2@h:port/db"] {
            let error = parse(url).expect_err(url).to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
        parse("postgres://u:hunter2@h:5432/db").expect("a good URL");
        parse("postgresql:///db?host=/run/postgresql").expect("a socket's folder");
    }
}
