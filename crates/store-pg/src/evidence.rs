//! The Postgres store as evidence.

use std::ops::RangeInclusive;

use async_trait::async_trait;
use natter_model::event::Entry;
use natter_model::id::MessageId;
use natter_store::batch::{Batch, Changes, Erasures};
use natter_store::error::StoreError;
use natter_store::evidence::{Evidence, Marks, Quarantined, preview, readers};
use natter_store::fold::{ReadMark, Row};
use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgRow};

use crate::apply::{bind_needs, load_erasures, needed_rows};
use crate::database::decoded;
use crate::messages::PgMessages;
use crate::row::{self, columns, marks};
use crate::value;

#[async_trait]
impl Evidence for PgMessages {
    async fn rows(&self, positions: RangeInclusive<u64>) -> Result<Vec<Row>, StoreError> {
        let statement = concat!(
            "SELECT ",
            columns!(),
            " FROM messages WHERE message_id BETWEEN $1 AND $2 AND posted_seq IS NULL UNION ALL SELECT ",
            columns!(),
            " FROM messages WHERE posted_seq BETWEEN $1 AND $2"
        );
        decoded(self.between(statement, positions).await?.iter().map(row::row).collect())
    }

    async fn rows_named(&self, ids: RangeInclusive<u64>) -> Result<Vec<Row>, StoreError> {
        let statement = concat!("SELECT ", columns!(), " FROM messages WHERE message_id BETWEEN $1 AND $2");
        decoded(self.between(statement, ids).await?.iter().map(row::row).collect())
    }

    async fn rows_of(&self, ids: &[MessageId]) -> Result<Vec<Row>, StoreError> {
        let query = sqlx::query(concat!("SELECT ", columns!(), " FROM messages WHERE message_id = ANY ($1)"));
        let ids: Vec<i64> = ids.iter().map(|id| id.as_i64()).collect();
        let rows = self.database.rows(query.bind(ids)).await?;
        decoded(rows.iter().map(row::row).collect())
    }

    async fn touched(&self, positions: RangeInclusive<u64>) -> Result<Vec<Row>, StoreError> {
        let statement =
            concat!("SELECT ", columns!(), " FROM messages WHERE touched_seq BETWEEN $1 AND $2 ORDER BY touched_seq");
        decoded(self.between(statement, positions).await?.iter().map(row::row).collect())
    }

    async fn marks(&self, positions: RangeInclusive<u64>) -> Result<Vec<ReadMark>, StoreError> {
        let rows = self.between(marks!("touched_seq BETWEEN $1 AND $2"), positions).await?;
        decoded(rows.iter().map(row::mark).collect())
    }

    async fn erasures(&self, positions: RangeInclusive<u64>) -> Result<Erasures, StoreError> {
        let rows = self.between("SELECT * FROM erasures WHERE erased_seq BETWEEN $1 AND $2", positions).await?;
        decoded(rows.iter().map(row::erasure).collect())
    }

    async fn quarantined(&self, positions: RangeInclusive<u64>) -> Result<Quarantined, StoreError> {
        let statement = "SELECT position, record FROM quarantine WHERE position BETWEEN $1 AND $2";
        let mut quarantined = Quarantined::new();
        for row in &self.between(statement, positions).await? {
            let position = decoded(value::position(row, "position"))?;
            quarantined.entry(position).or_default().push(decoded(row.try_get("record"))?);
        }
        Ok(quarantined)
    }

    async fn dry_run(&self, entries: &[Entry]) -> Result<Changes, StoreError> {
        let batch = Batch::of_entries(entries);
        let load = async |connection: &mut PgConnection| {
            // Nothing is locked, so the order matters: what an erasure removes in between must be seen as erased.
            let rows = load_rows(connection, &batch).await?;
            let marks = load_marks(connection, entries).await?;
            let erasures = load_erasures(connection, &batch).await?;
            Ok((rows, marks, erasures))
        };
        let (rows, marks, erasures) = self.database.lend(load).await?;
        Ok(preview(batch, rows, &marks, &erasures))
    }
}

impl PgMessages {
    async fn between(&self, statement: &'static str, positions: RangeInclusive<u64>) -> Result<Vec<PgRow>, StoreError> {
        let bound = |position: u64| i64::try_from(position).unwrap_or(i64::MAX);
        let query = sqlx::query(statement);
        self.database.rows(query.bind(bound(*positions.start())).bind(bound(*positions.end()))).await
    }
}

async fn load_rows(connection: &mut PgConnection, batch: &Batch<'_>) -> Result<Vec<Row>, sqlx::Error> {
    let rows = bind_needs(sqlx::query(needed_rows!()), batch).fetch_all(connection).await?;
    rows.iter().map(row::row).collect()
}

async fn load_marks(connection: &mut PgConnection, entries: &[Entry]) -> Result<Marks, sqlx::Error> {
    let (conversations, accounts): (Vec<i64>, Vec<i64>) =
        readers(entries).map(|(conversation, account)| (conversation.as_i64(), account.as_i64())).unzip();
    let rows =
        sqlx::query(marks!("(conversation_id, account_id) IN (SELECT * FROM unnest($1::bigint[], $2::bigint[]))"))
            .bind(conversations)
            .bind(accounts)
            .fetch_all(connection)
            .await?;
    rows.iter().map(|row| row::mark(row).map(|mark| (mark.key(), mark))).collect()
}
