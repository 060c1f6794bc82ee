//! Connections to Django's database.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};

use crate::cells::Cells;
use crate::error::DjangoError;
use crate::tables::quoted;

/// Longest wait for a connection.
const ACQUIRE: Duration = Duration::from_secs(10);

/// Longest wait for Django's own writers, who lock a SQLite file as a whole.
const BUSY: Duration = Duration::from_secs(10);

/// Connections at a time. Django needs most of what the server has.
const MAX_CONNECTIONS: u32 = 4;

/// What is done with the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// They are read, and the database is told so.
    Read,
    /// They are written too.
    Write,
}

/// Django's database. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) enum Database {
    /// On a server.
    Postgres(PgPool),
    /// In a file.
    Sqlite(SqlitePool),
}

impl Database {
    /// Connects to `postgres://…`, or opens a SQLite file: its path, or `sqlite:` and its path. The file must be there.
    pub(crate) async fn open(url: &str, access: Access) -> Result<Self, DjangoError> {
        let is_postgres = ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
        match is_postgres {
            true => Self::connect(url, access).await,
            false => Self::open_file(url, access).await,
        }
    }

    async fn connect(url: &str, access: Access) -> Result<Self, DjangoError> {
        let options = PgConnectOptions::from_str(url).map_err(|error| DjangoError::BadUrl(error.to_string()))?;
        let options = options.application_name("natter");
        let options = match access {
            Access::Read => options.options([("default_transaction_read_only", "on")]),
            Access::Write => options,
        };
        let pool = PgPoolOptions::new().max_connections(MAX_CONNECTIONS).acquire_timeout(ACQUIRE);
        Ok(Self::Postgres(pool.connect_with(options).await?))
    }

    async fn open_file(url: &str, access: Access) -> Result<Self, DjangoError> {
        let bad = |reason: String| DjangoError::BadUrl(reason);
        let options = match url.starts_with("sqlite:") {
            true => SqliteConnectOptions::from_str(url).map_err(|error| bad(error.to_string()))?,
            false if url.contains("://") => return Err(bad("it begins with another scheme".to_owned())),
            false => SqliteConnectOptions::new().filename(url),
        };
        if !options.get_filename().is_file() {
            return Err(bad("there is no such file".to_owned()));
        }
        let options = options.create_if_missing(false).busy_timeout(BUSY);
        let options = match access {
            Access::Read => options.pragma("query_only", "on"),
            Access::Write => options,
        };
        let pool = SqlitePoolOptions::new().max_connections(MAX_CONNECTIONS).acquire_timeout(ACQUIRE);
        Ok(Self::Sqlite(pool.connect_with(options).await?))
    }
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// It holds whole numbers.
    pub(crate) is_integer: bool,
    /// The table that its foreign key leads to.
    pub(crate) target: Option<String>,
}

const PG_COLUMNS: &str = "
    SELECT a.attname::text AS name, a.atttypid::regtype::text IN ('bigint', 'integer', 'smallint') AS is_integer,
        (SELECT target.relname::text FROM pg_constraint k JOIN pg_class target ON target.oid = k.confrelid
         WHERE k.conrelid = a.attrelid AND k.contype = 'f' AND k.conkey = ARRAY[a.attnum] LIMIT 1) AS target
    FROM pg_attribute a
    WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

const SQLITE_COLUMNS: &str = r#"
    SELECT name, lower(type) LIKE '%int%' AS is_integer,
        (SELECT k."table" FROM pragma_foreign_key_list($1) k WHERE k."from" = c.name LIMIT 1) AS target
    FROM pragma_table_info($1) c"#;

impl Database {
    /// The columns of a table in their order; none if there is no such table.
    pub(crate) async fn columns(&self, table: &str) -> Result<Vec<Column>, DjangoError> {
        let column = |row: &dyn Cells| {
            Some(Column {
                name: row.text("name").ok()??,
                is_integer: row.flag("is_integer").ok()??,
                target: row.text("target").ok()?,
            })
        };
        let columns: Option<Vec<Column>> = match self {
            Self::Postgres(pool) => {
                let rows = sqlx::query(PG_COLUMNS).bind(quoted(table)).fetch_all(pool).await?;
                rows.iter().map(|row| column(row)).collect()
            }
            Self::Sqlite(pool) => {
                let rows = sqlx::query(SQLITE_COLUMNS).bind(table).fetch_all(pool).await?;
                rows.iter().map(|row| column(row)).collect()
            }
        };
        columns.ok_or_else(|| DjangoError::Unavailable(format!("it does not tell the columns of `{table}`")))
    }

    /// What is made of the rows of a query, whose parameters are numbers.
    pub(crate) async fn rows<T>(
        &self,
        sql: &str,
        parameters: &[i64],
        decode: impl Fn(&dyn Cells) -> T,
    ) -> Result<Vec<T>, DjangoError> {
        match self {
            Self::Postgres(pool) => {
                let query = sqlx::query(AssertSqlSafe(sql));
                let query = parameters.iter().fold(query, |query, parameter| query.bind(*parameter));
                Ok(query.fetch_all(pool).await?.iter().map(|row| decode(row)).collect())
            }
            Self::Sqlite(pool) => {
                let query = sqlx::query(AssertSqlSafe(sql));
                let query = parameters.iter().fold(query, |query, parameter| query.bind(*parameter));
                Ok(query.fetch_all(pool).await?.iter().map(|row| decode(row)).collect())
            }
        }
    }
}
