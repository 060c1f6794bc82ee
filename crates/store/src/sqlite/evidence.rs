//! The SQLite store as evidence.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use async_trait::async_trait;
use natter_model::event::Entry;
use natter_model::id::MessageId;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::SqliteStore;
use super::apply::{load_erasures, load_rows};
use super::error::translate;
use super::row::{self, columns, conversations_json, marks, messages_json};
use crate::batch::{Batch, Changes, Erasures};
use crate::error::StoreError;
use crate::evidence::{Evidence, Marks, Quarantined, preview, readers};
use crate::fold::{ReadMark, Row};

#[async_trait]
impl Evidence for SqliteStore {
    async fn rows(&self, positions: RangeInclusive<u64>) -> Result<Vec<Row>, StoreError> {
        let statement = concat!(
            "SELECT ",
            columns!(),
            " FROM messages WHERE message_id BETWEEN ?1 AND ?2 AND posted_seq IS NULL UNION ALL SELECT ",
            columns!(),
            " FROM messages WHERE posted_seq BETWEEN ?1 AND ?2"
        );
        let rows = self.between(statement, positions).await?;
        rows.iter().map(row::row).collect::<Result<_, _>>().map_err(translate)
    }

    async fn rows_named(&self, ids: RangeInclusive<u64>) -> Result<Vec<Row>, StoreError> {
        let statement = concat!("SELECT ", columns!(), " FROM messages WHERE message_id BETWEEN ?1 AND ?2");
        let rows = self.between(statement, ids).await?;
        rows.iter().map(row::row).collect::<Result<_, _>>().map_err(translate)
    }

    async fn rows_of(&self, ids: &[MessageId]) -> Result<Vec<Row>, StoreError> {
        let rows = sqlx::query(concat!(
            "SELECT ",
            columns!(),
            " FROM messages WHERE message_id IN (SELECT value FROM json_each(?))"
        ))
        .bind(messages_json(ids.iter().copied()))
        .fetch_all(&self.readers)
        .await
        .map_err(translate)?;
        rows.iter().map(row::row).collect::<Result<_, _>>().map_err(translate)
    }

    async fn touched(&self, positions: RangeInclusive<u64>) -> Result<Vec<Row>, StoreError> {
        let statement =
            concat!("SELECT ", columns!(), " FROM messages WHERE touched_seq BETWEEN ?1 AND ?2 ORDER BY touched_seq");
        let rows = self.between(statement, positions).await?;
        rows.iter().map(row::row).collect::<Result<_, _>>().map_err(translate)
    }

    async fn marks(&self, positions: RangeInclusive<u64>) -> Result<Vec<ReadMark>, StoreError> {
        let rows = self.between(marks!("touched_seq BETWEEN ?1 AND ?2"), positions).await?;
        rows.iter().map(row::mark).collect::<Result<_, _>>().map_err(translate)
    }

    async fn erasures(&self, positions: RangeInclusive<u64>) -> Result<Erasures, StoreError> {
        let rows = self.between("SELECT * FROM erasures WHERE erased_seq BETWEEN ? AND ?", positions).await?;
        rows.iter().map(row::erasure).collect::<Result<_, _>>().map_err(translate)
    }

    async fn quarantined(&self, positions: RangeInclusive<u64>) -> Result<Quarantined, StoreError> {
        let rows =
            self.between("SELECT position, record FROM quarantine WHERE position BETWEEN ? AND ?", positions).await?;
        let mut quarantined = Quarantined::new();
        for row in &rows {
            let position = row::position(row, "position").map_err(translate)?;
            quarantined.entry(position).or_default().push(row.try_get("record").map_err(translate)?);
        }
        Ok(quarantined)
    }

    async fn dry_run(&self, entries: &[Entry]) -> Result<Changes, StoreError> {
        self.look_at(entries).await.map_err(translate)
    }
}

impl SqliteStore {
    async fn look_at(&self, entries: &[Entry]) -> Result<Changes, sqlx::Error> {
        let batch = Batch::of_entries(entries);
        // One transaction, so that all of it speaks of the same moment.
        let mut transaction = self.readers.begin().await?;
        let rows = load_rows(&mut transaction, &batch).await?;
        let erasures = load_erasures(&mut transaction, &batch).await?;
        let marks = load_marks(&mut transaction, entries).await?;
        Ok(preview(batch, rows, &marks, &erasures))
    }

    async fn between(
        &self,
        statement: &'static str,
        positions: RangeInclusive<u64>,
    ) -> Result<Vec<SqliteRow>, StoreError> {
        let bound = |position: u64| i64::try_from(position).unwrap_or(i64::MAX);
        sqlx::query(statement)
            .bind(bound(*positions.start()))
            .bind(bound(*positions.end()))
            .fetch_all(&self.readers)
            .await
            .map_err(translate)
    }
}

async fn load_marks(connection: &mut SqliteConnection, entries: &[Entry]) -> Result<Marks, sqlx::Error> {
    let mut readers: Vec<_> = readers(entries).collect();
    readers.sort_unstable();
    readers.dedup();
    let rows = sqlx::query(marks!("conversation_id IN (SELECT value FROM json_each(?1))"))
        .bind(conversations_json(readers.iter().map(|(conversation, _)| *conversation)))
        .fetch_all(connection)
        .await?;
    let marks = rows.iter().map(|row| row::mark(row).map(|mark| (mark.key(), mark)));
    let mut marks: BTreeMap<_, _> = marks.collect::<Result<_, _>>()?;
    marks.retain(|(conversation, account, _), _| readers.binary_search(&(*conversation, *account)).is_ok());
    Ok(marks)
}
