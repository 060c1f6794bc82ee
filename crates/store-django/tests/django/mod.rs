//! A Django chat's database, of either kind, with rows that a test puts in by hand.

use std::sync::Arc;

use natter_store_django::database::Access;
use natter_store_django::django::{BEFORE_ALL, Django};
use natter_store_django::tables::Tables;
use natter_store_django::unfit::Page;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::cluster::Cluster;

/// On which kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Postgres,
    Sqlite,
}

/// One test on both kinds: `<name>::postgres` and `<name>::sqlite`.
macro_rules! on_both {
    ($(#[$doc:meta])* async fn $name:ident($kind:ident) $body:block) => {
        $(#[$doc])*
        mod $name {
            use super::*;

            async fn test($kind: $crate::django::Kind) $body

            #[tokio::test]
            async fn postgres() {
                test($crate::django::Kind::Postgres).await;
            }

            #[tokio::test]
            async fn sqlite() {
                test($crate::django::Kind::Sqlite).await;
            }
        }
    };
}

pub(crate) use on_both;

/// A database with Django's tables.
pub(crate) struct Site {
    pub(crate) url: String,
    kind: Kind,
    _keep_alive: (Option<Arc<Cluster>>, Option<tempfile::TempDir>),
}

impl Site {
    /// Without a row, as the seed's commit has it.
    pub(crate) async fn new(kind: Kind) -> Self {
        let site = match kind {
            Kind::Postgres => {
                let cluster = Cluster::shared();
                Self { url: cluster.database().await, kind, _keep_alive: (Some(cluster), None) }
            }
            Kind::Sqlite => {
                let folder = tempfile::tempdir().expect("a temporary folder");
                let url = folder.path().join("db.sqlite3").display().to_string();
                Self { url, kind, _keep_alive: (None, Some(folder)) }
            }
        };
        match kind {
            Kind::Postgres => site.run(include_str!("../schema/postgres.sql")).await,
            Kind::Sqlite => site.run(include_str!("../schema/sqlite.sql")).await,
        }
        site
    }

    /// As the later commits have it.
    pub(crate) async fn later(kind: Kind) -> Self {
        let site = Self::new(kind).await;
        site.run(include_str!("../schema/later.sql")).await;
        site
    }

    /// Runs statements; no constraint keeps them from breaking references.
    pub(crate) async fn run(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        match self.kind {
            Kind::Postgres => {
                let mut connection = PgConnection::connect(&self.url).await.expect("the server answers");
                let unchecked = "SET session_replication_role = replica";
                sqlx::raw_sql(unchecked).execute(&mut connection).await.expect("a superuser may do that");
                sqlx::raw_sql(sql).execute(&mut connection).await.expect("the statements are good");
            }
            Kind::Sqlite => {
                let options = SqliteConnectOptions::new().filename(&self.url).create_if_missing(true);
                let options = options.foreign_keys(false);
                let mut connection = SqliteConnection::connect_with(&options).await.expect("the file can be opened");
                sqlx::raw_sql(sql).execute(&mut connection).await.expect("the statements are good");
                connection.close().await.expect("the file can be closed");
            }
        }
    }

    /// The tables, looked at.
    pub(crate) async fn open(&self) -> Django {
        Django::open(&self.url, Tables::default(), Access::Read).await.expect("the tables are Django's")
    }
}

/// An account with few properties.
pub(crate) fn account(id: i64, username: &str) -> String {
    format!(
        "INSERT INTO accounts_account (id, password, is_superuser, username, first_name, last_name, is_staff, is_active,
             date_joined, email, created_at, updated_at)
         VALUES ({id}, 'pbkdf2_sha256$1$s$h', FALSE, '{username}', '', '', FALSE, TRUE, '2025-11-01 08:00:00', '',
             '2025-11-01 08:00:00', '2025-11-01 08:00:00');"
    )
}

/// A conversation without participants.
pub(crate) fn conversation(id: i64) -> String {
    format!("INSERT INTO chat_conversation (id, created_at) VALUES ({id}, '2025-11-13 10:05:00');")
}

/// A message of somebody's.
pub(crate) fn message(id: i64, conversation: i64, sender: i64) -> String {
    format!(
        "INSERT INTO chat_message (id, content, attachment, timestamp, is_read, is_deleted, conversation_id, sender_id)
         VALUES ({id}, 'said', '', '2025-11-13 10:05:00.123456', FALSE, FALSE, {conversation}, {sender});"
    )
}

/// What fits, and what does not as text.
pub(crate) fn sorted<T>(page: Page<T>) -> (Vec<T>, Vec<String>) {
    let (mut fit, mut unfit) = (Vec::new(), Vec::new());
    for row in page.rows {
        match row {
            Ok(row) => fit.push(row),
            Err(row) => unfit.push(row.to_string()),
        }
    }
    (fit, unfit)
}

/// More than any test has.
pub(crate) const ALL: usize = 1000;

/// Where every test begins.
pub(crate) const FIRST: i64 = BEFORE_ALL;
