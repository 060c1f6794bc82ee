//! A batch into Postgres: one transaction of a handful of statements that locks, loads, folds and saves.
//!
//! Any number of processes do this at once. Rows are locked, and inserted, in ascending order of their ids, so that
//! two transactions never wait for each other. A row that is not there cannot be locked; if another transaction inserts
//! it first, this one starts over and finds it. An erasure excludes those who add to its conversation.

use std::collections::BTreeMap;
use std::time::Duration;

use natter_model::id::Position;
use natter_store::batch::{Access, Batch, Changes, Erasures};
use natter_store::error::StoreError;
use natter_store::fold::{ReadMark, Row};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use crate::database::{ANSWER, Database, Statement, in_time};
use crate::error::is_conflict;
use crate::row::{self, Columns, columns, unnest};
use crate::value::PgTime;

/// Longest time a batch takes that erases conversations: each of its statements is short, but there may be many.
const ERASE: Duration = Duration::from_secs(15);

/// How often a batch starts over because another process was faster, before that is told.
const MAX_ATTEMPTS: u32 = 10;

/// The advisory locks of conversations lie from here on. Fewer locks than conversations, so that the largest batch
/// does not fill the server's lock table.
const FIRST_LOCK: i64 = 0x6e61_7474_0000_0000;
const N_LOCKS: i64 = 1024;

/// The tables of read marks, and whether they are at messages with given ids.
const MARKS: [(&str, bool); 2] = [("read_marks", false), ("given_read_marks", true)];

/// Rows removed per statement, so that each stays well below the time limit of a statement.
const ROWS_PER_DELETE: i64 = 20_000;

/// Applies the batch that `batch` makes, and answers with what it changed.
pub(crate) async fn commit<'a>(database: &Database, batch: impl Fn() -> Batch<'a>) -> Result<Changes, StoreError> {
    let patience = if batch().erased_below().is_some() { ERASE } else { ANSWER };
    in_time(patience, async {
        let mut lease = database.lease().await?;
        for _ in 0..MAX_ATTEMPTS {
            match attempt(&mut lease, batch()).await {
                Ok(Some(changes)) => {
                    lease.give_back();
                    return Ok(Some(changes));
                }
                Ok(None) => (),
                Err(error) if is_conflict(&error) => (),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    })
    .await?
    .ok_or_else(|| StoreError::Unavailable("other processes write the same messages all the time".to_owned()))
}

/// `None`: another transaction inserted one of the rows, or one with its client key, in the meantime.
async fn attempt(connection: &mut PgConnection, batch: Batch<'_>) -> Result<Option<Changes>, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    lock_conversations(&mut transaction, &batch).await?;
    let rows = load_rows(&mut transaction, &batch).await?;
    let erasures = load_erasures(&mut transaction, &batch).await?;
    let changes = batch.fold(rows, &erasures);
    // What gives up a client key goes before what takes it.
    erase(&mut transaction, &changes).await?;
    let is_resend = |row: &&Row| row.posted().is_some_and(|posted| posted.is_resend);
    let (resends, updates): (Vec<_>, Vec<_>) = changes.updates.iter().partition(is_resend);
    update(&mut transaction, &resends).await?;
    update(&mut transaction, &updates).await?;
    if !insert(&mut transaction, &changes.inserts).await? {
        transaction.rollback().await?;
        return Ok(None);
    }
    for (table, has_given_id) in MARKS {
        let marks: Vec<_> = changes.marks.iter().filter(|mark| mark.has_given_id == has_given_id).collect();
        move_marks(&mut transaction, table, &marks).await?;
    }
    transaction.commit().await?;
    Ok(Some(changes))
}

async fn lock_conversations(connection: &mut PgConnection, batch: &Batch<'_>) -> Result<(), sqlx::Error> {
    let mut locks = BTreeMap::new();
    for (conversation, access) in batch.conversations() {
        let is_exclusive = locks.entry(FIRST_LOCK + conversation.as_i64() % N_LOCKS).or_insert(false);
        *is_exclusive |= access == Access::Erases;
    }
    let (keys, exclusive): (Vec<i64>, Vec<bool>) = locks.into_iter().unzip();
    sqlx::query(
        "SELECT CASE WHEN exclusive THEN pg_advisory_xact_lock(key) ELSE pg_advisory_xact_lock_shared(key) END
         FROM unnest($1::bigint[], $2::boolean[]) AS locks (key, exclusive)",
    )
    .bind(keys)
    .bind(exclusive)
    .execute(connection)
    .await?;
    Ok(())
}

/// The rows that a batch needs, with the parameters of [`bind_needs`].
macro_rules! needed_rows {
    () => {
        concat!(
            "SELECT ",
            $crate::row::columns!(),
            " FROM messages WHERE message_id = ANY ($1) OR (conversation_id IS NULL AND message_id < $2)
             OR message_id = ANY (ARRAY (
                 SELECT first.message_id FROM unnest($3::bigint[], $4::bigint[], $5::text[])
                     AS key (conversation_id, sender_id, client_id)
                 -- One by one through the index, whatever the planner thinks of hashing the whole table.
                 CROSS JOIN LATERAL (
                     SELECT message_id FROM messages WHERE conversation_id = key.conversation_id
                     AND sender_id = key.sender_id AND client_id = key.client_id
                     AND client_id IS NOT NULL AND NOT is_resend LIMIT 1) AS first))
             OR message_id = ANY (ARRAY (
                 SELECT message_id FROM messages WHERE conversation_id = ANY ($6) AND is_resend))
             OR message_id = ANY (ARRAY (
                 SELECT first.message_id FROM messages again
                 JOIN messages first USING (conversation_id, sender_id, client_id)
                 WHERE again.conversation_id = ANY ($6) AND again.is_resend
                 AND first.client_id IS NOT NULL AND NOT first.is_resend))
             ORDER BY message_id"
        )
    };
}

pub(crate) use needed_rows;

/// Binds what [`needed_rows`] asks for.
pub(crate) fn bind_needs<'q>(query: Statement<'q>, batch: &Batch<'_>) -> Statement<'q> {
    let keys = batch.client_keys();
    query
        .bind(batch.ids().into_iter().map(|id| id.as_i64()).collect::<Vec<_>>())
        .bind(batch.erased_below().unwrap_or(Position::START).as_i64())
        .bind(keys.iter().map(|key| key.conversation.as_i64()).collect::<Vec<_>>())
        .bind(keys.iter().map(|key| key.sender.as_i64()).collect::<Vec<_>>())
        .bind(keys.into_iter().map(|key| key.client_id).collect::<Vec<_>>())
        .bind(batch.erased().map(|conversation| conversation.as_i64()).collect::<Vec<_>>())
}

async fn load_rows(connection: &mut PgConnection, batch: &Batch<'_>) -> Result<Vec<Row>, sqlx::Error> {
    let query = sqlx::query(concat!(needed_rows!(), " FOR UPDATE"));
    let rows = bind_needs(query, batch).fetch_all(connection).await?;
    rows.iter().map(row::row).collect()
}

pub(crate) async fn load_erasures(connection: &mut PgConnection, batch: &Batch<'_>) -> Result<Erasures, sqlx::Error> {
    let conversations: Vec<i64> = batch.conversations().into_keys().map(|conversation| conversation.as_i64()).collect();
    let rows = sqlx::query("SELECT * FROM erasures WHERE conversation_id = ANY ($1)")
        .bind(conversations)
        .fetch_all(connection)
        .await?;
    rows.iter().map(row::erasure).collect()
}

/// `false`: one of them, or another with its client key, is there already.
async fn insert(connection: &mut PgConnection, rows: &[Row]) -> Result<bool, sqlx::Error> {
    if rows.is_empty() {
        return Ok(true);
    }
    let statement =
        concat!("INSERT INTO messages (", columns!(), ") SELECT * FROM ", unnest!(), " ON CONFLICT DO NOTHING");
    let done = rows.iter().collect::<Columns<'_>>().bind(sqlx::query(statement)).execute(connection).await?;
    Ok(done.rows_affected() == rows.len() as u64)
}

async fn update(connection: &mut PgConnection, rows: &[&Row]) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let statement = concat!(
        "UPDATE messages m SET (",
        columns!(),
        ") = (n.message_id, n.conversation_id, n.sender_id, n.sender_name, n.content, n.attachment, n.timestamp, \
         n.is_read, n.read_at, n.is_deleted, n.edited_at, n.event_id, n.posted_seq, n.imported_as_read, n.client_id, \
         n.is_resend, n.edited_seq, n.read_seq, n.deleted_seq, n.deleted_at, n.touched_seq, n.waiting) FROM ",
        unnest!(),
        " AS n (",
        columns!(),
        ") WHERE m.message_id = n.message_id"
    );
    rows.iter().copied().collect::<Columns<'_>>().bind(sqlx::query(statement)).execute(connection).await?;
    Ok(())
}

async fn move_marks(connection: &mut PgConnection, table: &str, marks: &[&ReadMark]) -> Result<(), sqlx::Error> {
    if marks.is_empty() {
        return Ok(());
    }
    let statement = format!(
        "INSERT INTO {table} AS r (conversation_id, account_id, message_id, touched_seq, username, read_at)
         SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::timestamptz[])
         ON CONFLICT (conversation_id, account_id) DO UPDATE
         SET message_id = excluded.message_id, touched_seq = excluded.touched_seq, username = excluded.username,
             read_at = excluded.read_at
         WHERE (excluded.message_id, excluded.touched_seq) > (r.message_id, r.touched_seq)"
    );
    sqlx::query(AssertSqlSafe(statement))
        .bind(marks.iter().map(|mark| mark.conversation.as_i64()).collect::<Vec<_>>())
        .bind(marks.iter().map(|mark| mark.account.as_i64()).collect::<Vec<_>>())
        .bind(marks.iter().map(|mark| mark.message.as_i64()).collect::<Vec<_>>())
        .bind(marks.iter().map(|mark| mark.touched_seq.as_i64()).collect::<Vec<_>>())
        .bind(marks.iter().map(|mark| mark.username.as_str()).collect::<Vec<_>>())
        .bind(marks.iter().map(|mark| PgTime(mark.read_at)).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

async fn erase(connection: &mut PgConnection, changes: &Changes) -> Result<(), sqlx::Error> {
    if !changes.removals.is_empty() {
        sqlx::query("DELETE FROM messages WHERE message_id = ANY ($1)")
            .bind(changes.removals.iter().map(|id| id.as_i64()).collect::<Vec<_>>())
            .execute(&mut *connection)
            .await?;
    }
    for (conversation, erasure) in &changes.erasures {
        sqlx::query(
            "INSERT INTO erasures (conversation_id, erased_seq, account_id, username, erased_at)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (conversation_id) DO UPDATE
             SET erased_seq = excluded.erased_seq, account_id = excluded.account_id, username = excluded.username,
                 erased_at = excluded.erased_at",
        )
        .bind(conversation.as_i64())
        .bind(erasure.erased_seq.as_i64())
        .bind(erasure.actor.id.as_i64())
        .bind(&erasure.actor.username)
        .bind(PgTime(erasure.at))
        .execute(&mut *connection)
        .await?;
        loop {
            let done = sqlx::query(
                "DELETE FROM messages WHERE ctid = ANY (ARRAY (
                     SELECT ctid FROM messages
                     WHERE conversation_id = $1 AND coalesce(posted_seq, message_id) < $2 LIMIT $3))",
            )
            .bind(conversation.as_i64())
            .bind(erasure.erased_seq.as_i64())
            .bind(ROWS_PER_DELETE)
            .execute(&mut *connection)
            .await?;
            if done.rows_affected() < ROWS_PER_DELETE.unsigned_abs() {
                break;
            }
        }
        for (table, _) in MARKS {
            let statement = format!(
                "DELETE FROM {table} r WHERE conversation_id = $1
                 AND NOT EXISTS (SELECT FROM messages m WHERE m.message_id = r.message_id)"
            );
            sqlx::query(AssertSqlSafe(statement)).bind(conversation.as_i64()).execute(&mut *connection).await?;
        }
    }
    Ok(())
}
