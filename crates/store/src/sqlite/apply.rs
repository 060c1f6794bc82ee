//! A batch into SQLite: one transaction that loads, folds and saves.

use natter_model::id::Position;
use sqlx::{AssertSqlSafe, QueryBuilder, Sqlite, SqliteConnection};

use super::SqliteStore;
use super::row::{self, columns, conversations_json, keys_json, messages_json};
use crate::batch::{Batch, Changes, Erasures};
use crate::fold::Row;

/// Rows per statement: SQLite takes 32 766 parameters.
const ROWS_PER_INSERT: usize = 1000;

impl SqliteStore {
    /// Applies the batch, and answers with what it changed.
    pub(super) async fn commit(&self, batch: Batch<'_>) -> Result<Changes, sqlx::Error> {
        let mut transaction = self.write().await?;
        let rows = load_rows(&mut transaction, &batch).await?;
        let erasures = load_erasures(&mut transaction, &batch).await?;
        let changes = batch.fold(rows, &erasures);
        save(&mut transaction, &changes).await?;
        transaction.commit().await?;
        Ok(changes)
    }
}

pub(super) async fn load_rows(connection: &mut SqliteConnection, batch: &Batch<'_>) -> Result<Vec<Row>, sqlx::Error> {
    let below = batch.erased_below().unwrap_or(Position::START);
    let rows = sqlx::query(concat!(
        "SELECT ",
        columns!(),
        " FROM messages WHERE message_id IN (SELECT value FROM json_each(?1)) \
         OR (conversation_id IS NULL AND message_id < ?2) \
         OR message_id IN (
             SELECT m.message_id FROM json_each(?3) k CROSS JOIN messages m
             WHERE m.conversation_id = k.value ->> 0 AND m.sender_id = k.value ->> 1 AND m.client_id = k.value ->> 2
             AND m.client_id IS NOT NULL AND m.is_resend = 0) \
         OR message_id IN (
             SELECT m.message_id FROM messages r CROSS JOIN messages m
             USING (conversation_id, sender_id, client_id)
             WHERE r.is_resend = 1 AND r.conversation_id IN (SELECT value FROM json_each(?4)))"
    ))
    .bind(messages_json(batch.ids()))
    .bind(below.as_i64())
    .bind(keys_json(batch.client_keys()))
    .bind(conversations_json(batch.erased()))
    .fetch_all(connection)
    .await?;
    rows.iter().map(row::row).collect()
}

pub(super) async fn load_erasures(
    connection: &mut SqliteConnection,
    batch: &Batch<'_>,
) -> Result<Erasures, sqlx::Error> {
    let rows = sqlx::query("SELECT * FROM erasures WHERE conversation_id IN (SELECT value FROM json_each(?))")
        .bind(conversations_json(batch.conversations().into_keys()))
        .fetch_all(connection)
        .await?;
    rows.iter().map(row::erasure).collect()
}

async fn save(connection: &mut SqliteConnection, changes: &Changes) -> Result<(), sqlx::Error> {
    erase(connection, changes).await?;
    // Updates too go out before they come in: so no client key is there twice in between.
    let outdated = changes.removals.iter().copied().chain(changes.updates.iter().map(|row| row.id));
    sqlx::query("DELETE FROM messages WHERE message_id IN (SELECT value FROM json_each(?))")
        .bind(messages_json(outdated))
        .execute(&mut *connection)
        .await?;
    let rows: Vec<&Row> = changes.inserts.iter().chain(&changes.updates).collect();
    for rows in rows.chunks(ROWS_PER_INSERT) {
        let mut insert = QueryBuilder::<Sqlite>::new(concat!("INSERT INTO messages (", columns!(), ") "));
        insert.push_values(rows, |values, row| row::push(values, row));
        insert.build().persistent(false).execute(&mut *connection).await?;
    }
    for mark in &changes.marks {
        let statement = format!(
            "INSERT INTO {} (conversation_id, account_id, message_id, touched_seq, username, read_at)
             VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT (conversation_id, account_id) DO UPDATE
             SET message_id = excluded.message_id, touched_seq = excluded.touched_seq, username = excluded.username,
                 read_at = excluded.read_at
             WHERE (excluded.message_id, excluded.touched_seq) > (message_id, touched_seq)",
            if mark.has_given_id { "given_read_marks" } else { "read_marks" }
        );
        sqlx::query(AssertSqlSafe(statement))
            .bind(mark.conversation.as_i64())
            .bind(mark.account.as_i64())
            .bind(mark.message.as_i64())
            .bind(mark.touched_seq.as_i64())
            .bind(&mark.username)
            .bind(mark.read_at.as_micros())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

async fn erase(connection: &mut SqliteConnection, changes: &Changes) -> Result<(), sqlx::Error> {
    for (conversation, erasure) in &changes.erasures {
        sqlx::query(
            "INSERT OR REPLACE INTO erasures (conversation_id, erased_seq, account_id, username, erased_at)
             VALUES (?, ?, ?, ?, ?)",
        )
        .bind(conversation.as_i64())
        .bind(erasure.erased_seq.as_i64())
        .bind(erasure.actor.id.as_i64())
        .bind(&erasure.actor.username)
        .bind(erasure.at.as_micros())
        .execute(&mut *connection)
        .await?;
        sqlx::query("DELETE FROM messages WHERE conversation_id = ? AND coalesce(posted_seq, message_id) < ?")
            .bind(conversation.as_i64())
            .bind(erasure.erased_seq.as_i64())
            .execute(&mut *connection)
            .await?;
        for table in ["read_marks", "given_read_marks"] {
            let statement = format!(
                "DELETE FROM {table} WHERE conversation_id = ? AND NOT EXISTS (
                     SELECT 1 FROM messages m WHERE m.message_id = {table}.message_id)"
            );
            sqlx::query(AssertSqlSafe(statement)).bind(conversation.as_i64()).execute(&mut *connection).await?;
        }
    }
    Ok(())
}
