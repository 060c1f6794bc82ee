//! Rows, out of SQLite and into it.

use natter_model::event::Actor;
use natter_model::id::{AccountId, ConversationId, EventId, MessageId, Position};
use natter_model::timestamp::Timestamp;
use sqlx::query_builder::Separated;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, Sqlite};

use crate::batch::Erasure;
use crate::changes::Change;
use crate::fold::{Posted, ReadMark, Row, State};
use crate::messages::Message;
use crate::resend::ClientKey;
use crate::waiting::Waiting;

/// The columns of a [`Message`].
macro_rules! message_columns {
    () => {
        "message_id, conversation_id, sender_id, sender_name, content, attachment, timestamp, is_read, read_at, \
         is_deleted, edited_at"
    };
}

/// All columns, in the order of [`push`].
macro_rules! columns {
    () => {
        "message_id, conversation_id, sender_id, sender_name, content, attachment, timestamp, is_read, read_at, \
         is_deleted, edited_at, event_id, posted_seq, imported_as_read, client_id, is_resend, edited_seq, read_seq, \
         deleted_seq, deleted_at, touched_seq, waiting"
    };
}

/// The read marks of both kinds that meet a condition, for [`mark`].
macro_rules! marks {
    ($condition:literal) => {
        concat!(
            "SELECT *, 0 AS has_given_id FROM read_marks WHERE ",
            $condition,
            " UNION ALL SELECT *, 1 FROM given_read_marks WHERE ",
            $condition
        )
    };
}

pub(super) use {columns, marks, message_columns};

/// From a posted row with [`message_columns`].
pub(super) fn message(row: &SqliteRow) -> Result<Message, sqlx::Error> {
    Ok(Message {
        id: id(row, "message_id")?,
        conversation: id(row, "conversation_id")?,
        sender: id::<AccountId>(row, "sender_id")?,
        sender_name: row.try_get("sender_name")?,
        content: row.try_get("content")?,
        attachment: row.try_get("attachment")?,
        timestamp: Timestamp::from_micros(row.try_get("timestamp")?),
        is_read: row.try_get("is_read")?,
        read_at: time(row, "read_at")?,
        is_deleted: row.try_get("is_deleted")?,
        edited_at: time(row, "edited_at")?,
    })
}

/// From a row with all [`columns`].
pub(super) fn row(row: &SqliteRow) -> Result<Row, sqlx::Error> {
    let state = match row.try_get::<Option<Vec<u8>>, _>("waiting")? {
        Some(waiting) => State::Awaited(Waiting::decode(&waiting).map_err(|error| decode_error("waiting", error))?),
        None => State::Posted(Box::new(Posted {
            message: message(row)?,
            event: event_id(row)?,
            posted_seq: match row.try_get::<Option<i64>, _>("posted_seq")? {
                Some(_) => position(row, "posted_seq")?,
                None => id::<MessageId>(row, "message_id")?.into(),
            },
            imported_as_read: row.try_get("imported_as_read")?,
            client_id: row.try_get("client_id")?,
            is_resend: row.try_get("is_resend")?,
            edited_seq: position(row, "edited_seq")?,
            read_seq: position(row, "read_seq")?,
            deleted_seq: position(row, "deleted_seq")?,
            deleted_at: time(row, "deleted_at")?,
            touched_seq: position(row, "touched_seq")?,
        })),
    };
    Ok(Row { id: id(row, "message_id")?, state })
}

/// The values of a row, in the order of [`columns`].
pub(super) fn push(mut values: Separated<'_, Sqlite, &'static str>, row: &Row) {
    let (posted, waiting) = match &row.state {
        State::Posted(posted) => (Some(&**posted), None),
        State::Awaited(waiting) => (None, Some(waiting)),
    };
    let message = posted.map(|posted| &posted.message);
    let seq = |of: fn(&Posted) -> Position| posted.map_or(0, |posted| of(posted).as_i64());
    values
        .push_bind(row.id.as_i64())
        .push_bind(message.map(|message| message.conversation.as_i64()))
        .push_bind(message.map(|message| message.sender.as_i64()))
        .push_bind(message.map(|message| message.sender_name.as_str()))
        .push_bind(message.and_then(|message| message.content.as_deref()))
        .push_bind(message.and_then(|message| message.attachment.as_deref()))
        .push_bind(message.map(|message| message.timestamp.as_micros()))
        .push_bind(message.is_some_and(|message| message.is_read))
        .push_bind(message.and_then(|message| message.read_at).map(Timestamp::as_micros))
        .push_bind(message.is_some_and(|message| message.is_deleted))
        .push_bind(message.and_then(|message| message.edited_at).map(Timestamp::as_micros))
        .push_bind(posted.and_then(|posted| posted.event).map(|event| event.as_bytes().to_vec()))
        .push_bind(posted.map(|posted| posted.posted_seq).filter(|at| *at != row.id.into()).map(Position::as_i64))
        .push_bind(posted.and_then(|posted| posted.imported_as_read))
        .push_bind(posted.and_then(|posted| posted.client_id.as_deref()))
        .push_bind(posted.is_some_and(|posted| posted.is_resend))
        .push_bind(seq(|posted| posted.edited_seq))
        .push_bind(seq(|posted| posted.read_seq))
        .push_bind(seq(|posted| posted.deleted_seq))
        .push_bind(posted.and_then(|posted| posted.deleted_at).map(Timestamp::as_micros))
        .push_bind(waiting.map_or_else(|| seq(|posted| posted.touched_seq), |waiting| waiting.last().as_i64()))
        .push_bind(waiting.map(Waiting::encode));
}

/// An id out of a column.
pub(super) fn id<T>(row: &SqliteRow, column: &str) -> Result<T, sqlx::Error>
where
    T: TryFrom<i64>,
    T::Error: std::error::Error + Send + Sync + 'static,
{
    T::try_from(row.try_get::<i64, _>(column)?).map_err(|error| decode_error(column, error))
}

/// A position out of a column.
pub(super) fn position(row: &SqliteRow, column: &str) -> Result<Position, sqlx::Error> {
    let sequence: i64 = row.try_get(column)?;
    u64::try_from(sequence).map(Position::new).map_err(|error| decode_error(column, error))
}

fn time(row: &SqliteRow, column: &str) -> Result<Option<Timestamp>, sqlx::Error> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(Timestamp::from_micros))
}

fn event_id(row: &SqliteRow) -> Result<Option<EventId>, sqlx::Error> {
    let bytes: Option<Vec<u8>> = row.try_get("event_id")?;
    let id = bytes.map(|bytes| <[u8; 16]>::try_from(bytes.as_slice())).transpose();
    id.map(|id| id.map(EventId::from_bytes)).map_err(|error| decode_error("event_id", error))
}

/// A read mark out of a row of [`marks`].
pub(super) fn mark(row: &SqliteRow) -> Result<ReadMark, sqlx::Error> {
    Ok(ReadMark {
        conversation: id(row, "conversation_id")?,
        account: id::<AccountId>(row, "account_id")?,
        has_given_id: row.try_get("has_given_id")?,
        message: id(row, "message_id")?,
        touched_seq: position(row, "touched_seq")?,
        username: row.try_get("username")?,
        read_at: Timestamp::from_micros(row.try_get("read_at")?),
    })
}

/// The end of a conversation out of its row.
pub(super) fn erasure(row: &SqliteRow) -> Result<(ConversationId, Erasure), sqlx::Error> {
    let actor = Actor { id: id(row, "account_id")?, username: row.try_get("username")? };
    let at = Timestamp::from_micros(row.try_get("erased_at")?);
    Ok((id(row, "conversation_id")?, Erasure { erased_seq: position(row, "erased_seq")?, actor, at }))
}

/// A change out of a row of the query for them.
pub(super) fn change(row: &SqliteRow) -> Result<Change, sqlx::Error> {
    Ok(Change {
        position: position(row, "position")?,
        kind: row.try_get("kind")?,
        message: id(row, "message_id")?,
        actor: Actor { id: id(row, "account_id")?, username: row.try_get("username")? },
        at: Timestamp::from_micros(row.try_get("happened_at")?),
        content: row.try_get("content")?,
        attachment: row.try_get("attachment")?,
        client_id: row.try_get("client_id")?,
        event: event_id(row)?,
    })
}

fn decode_error(column: &str, error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: Box::new(error) }
}

/// Ids as a JSON array, for `json_each`.
pub(super) fn conversations_json(ids: impl IntoIterator<Item = ConversationId>) -> String {
    serde_json::Value::from_iter(ids.into_iter().map(ConversationId::get)).to_string()
}

/// Ids as a JSON array, for `json_each`.
pub(super) fn messages_json(ids: impl IntoIterator<Item = MessageId>) -> String {
    serde_json::Value::from_iter(ids.into_iter().map(MessageId::get)).to_string()
}

/// Keys as a JSON array of arrays, for `json_each`.
pub(super) fn keys_json(keys: impl IntoIterator<Item = ClientKey>) -> String {
    let keys = keys.into_iter().map(|key| serde_json::json!([key.conversation, key.sender, key.client_id]));
    serde_json::Value::from_iter(keys).to_string()
}
