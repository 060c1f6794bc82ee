//! Making the tables, and bringing them up to date.

use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::PgPoolOptions;

use crate::database::{BadUrl, parse};

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// Why tables could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The URL is none.
    #[error(transparent)]
    Url(#[from] BadUrl),
    /// The server cannot be reached, or does not let us in.
    #[error("cannot connect to Postgres: {0}")]
    Unreachable(sqlx::Error),
    /// The server refused a statement, or the tables are of a later version.
    #[error("cannot migrate the schema {schema}: {source}")]
    Failed {
        /// Which schema.
        schema: &'static str,
        /// What went wrong.
        source: sqlx::migrate::MigrateError,
    },
}

/// A schema and how its tables come about.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) name: &'static str,
    migrations: Migrator,
}

/// What authz owns.
pub(crate) static AUTHZ: Schema = Schema { name: "authz", migrations: sqlx::migrate!("migrations/authz") };

/// What persistence owns.
pub(crate) static PERSISTENCE: Schema =
    Schema { name: "persistence", migrations: sqlx::migrate!("migrations/persistence") };

impl Schema {
    /// The version of the tables that this program was made for.
    pub(crate) fn version(&self) -> i64 {
        self.migrations.iter().map(|migration| migration.version).max().unwrap_or_default()
    }

    /// Makes the schema and its tables, or brings them up to date. Several processes may do so at the same moment.
    pub(crate) async fn migrate(&self, url: &str) -> Result<(), MigrateError> {
        let options = parse(url)?.options([("search_path", self.name)]).application_name("natter migrate");
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(CONNECT).connect_lazy_with(options);
        let mut connection = pool.acquire().await.map_err(MigrateError::Unreachable)?;
        let mut migrator = Migrator::with_migrations(self.migrations.iter().cloned().collect());
        migrator.create_schema(self.name);
        let outcome = migrator.run(&mut *connection).await;
        drop(connection);
        pool.close().await;
        outcome.map_err(|source| MigrateError::Failed { schema: self.name, source })
    }
}
