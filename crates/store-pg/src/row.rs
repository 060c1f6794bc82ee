//! Rows: out of Postgres one by one; those of the table `messages` into it as one array per column.

use natter_model::event::Actor;
use natter_model::id::{ConversationId, EventId, MessageId};
use natter_model::timestamp::Timestamp;
use natter_store::batch::Erasure;
use natter_store::changes::Change;
use natter_store::fold::{Posted, ReadMark, Row, State};
use natter_store::messages::Message;
use natter_store::waiting::Waiting;
use sqlx::Row as _;
use sqlx::postgres::{PgArguments, PgRow, Postgres};
use sqlx::query::Query;
use uuid::Uuid;

use crate::value::{PgTime, decode_error, id, optional_time, position, time};

/// The columns of a [`Message`].
macro_rules! message_columns {
    () => {
        "message_id, conversation_id, sender_id, sender_name, content, attachment, timestamp, is_read, read_at, \
         is_deleted, edited_at"
    };
}

/// All columns, in the order of [`Columns::bind`].
macro_rules! columns {
    () => {
        "message_id, conversation_id, sender_id, sender_name, content, attachment, timestamp, is_read, read_at, \
         is_deleted, edited_at, event_id, posted_seq, imported_as_read, client_id, is_resend, edited_seq, read_seq, \
         deleted_seq, deleted_at, touched_seq, waiting"
    };
}

/// The parameters of [`Columns::bind`] as a table with [`columns`].
macro_rules! unnest {
    () => {
        "unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], \
         $8::boolean[], $9::timestamptz[], $10::boolean[], $11::timestamptz[], $12::uuid[], $13::bigint[], \
         $14::boolean[], $15::text[], $16::boolean[], $17::bigint[], $18::bigint[], $19::bigint[], $20::timestamptz[], \
         $21::bigint[], $22::bytea[])"
    };
}

/// The read marks of both kinds that meet a condition, for [`mark`].
macro_rules! marks {
    ($condition:literal) => {
        concat!(
            "SELECT *, FALSE AS has_given_id FROM read_marks WHERE ",
            $condition,
            " UNION ALL SELECT *, TRUE FROM given_read_marks WHERE ",
            $condition
        )
    };
}

pub(crate) use {columns, marks, message_columns, unnest};

/// From a posted row with [`message_columns`].
pub(crate) fn message(row: &PgRow) -> Result<Message, sqlx::Error> {
    Ok(Message {
        id: id(row, "message_id")?,
        conversation: id(row, "conversation_id")?,
        sender: id(row, "sender_id")?,
        sender_name: row.try_get("sender_name")?,
        content: row.try_get("content")?,
        attachment: row.try_get("attachment")?,
        timestamp: time(row, "timestamp")?,
        is_read: row.try_get("is_read")?,
        read_at: optional_time(row, "read_at")?,
        is_deleted: row.try_get("is_deleted")?,
        edited_at: optional_time(row, "edited_at")?,
    })
}

/// From a row with all [`columns`].
pub(crate) fn row(row: &PgRow) -> Result<Row, sqlx::Error> {
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
            deleted_at: optional_time(row, "deleted_at")?,
            touched_seq: position(row, "touched_seq")?,
        })),
    };
    Ok(Row { id: id(row, "message_id")?, state })
}

/// A read mark out of a row of [`marks`].
pub(crate) fn mark(row: &PgRow) -> Result<ReadMark, sqlx::Error> {
    Ok(ReadMark {
        conversation: id(row, "conversation_id")?,
        account: id(row, "account_id")?,
        has_given_id: row.try_get("has_given_id")?,
        message: id(row, "message_id")?,
        touched_seq: position(row, "touched_seq")?,
        username: row.try_get("username")?,
        read_at: time(row, "read_at")?,
    })
}

/// The end of a conversation out of its row.
pub(crate) fn erasure(row: &PgRow) -> Result<(ConversationId, Erasure), sqlx::Error> {
    let actor = Actor { id: id(row, "account_id")?, username: row.try_get("username")? };
    let at = time(row, "erased_at")?;
    Ok((id(row, "conversation_id")?, Erasure { erased_seq: position(row, "erased_seq")?, actor, at }))
}

/// A change out of a row of the query for them.
pub(crate) fn change(row: &PgRow) -> Result<Change, sqlx::Error> {
    Ok(Change {
        position: position(row, "position")?,
        kind: row.try_get("kind")?,
        message: id(row, "message_id")?,
        actor: Actor { id: id(row, "account_id")?, username: row.try_get("username")? },
        at: time(row, "happened_at")?,
        content: row.try_get("content")?,
        attachment: row.try_get("attachment")?,
        client_id: row.try_get("client_id")?,
        event: event_id(row)?,
    })
}

fn event_id(row: &PgRow) -> Result<Option<EventId>, sqlx::Error> {
    Ok(row.try_get::<Option<Uuid>, _>("event_id")?.map(|id| EventId::from_bytes(id.into_bytes())))
}

/// Many rows, as one array per column.
#[derive(Default)]
pub(crate) struct Columns<'a> {
    message_id: Vec<i64>,
    conversation_id: Vec<Option<i64>>,
    sender_id: Vec<Option<i64>>,
    sender_name: Vec<Option<&'a str>>,
    content: Vec<Option<&'a str>>,
    attachment: Vec<Option<&'a str>>,
    timestamp: Vec<Option<PgTime>>,
    is_read: Vec<bool>,
    read_at: Vec<Option<PgTime>>,
    is_deleted: Vec<bool>,
    edited_at: Vec<Option<PgTime>>,
    event_id: Vec<Option<Uuid>>,
    posted_seq: Vec<Option<i64>>,
    imported_as_read: Vec<Option<bool>>,
    client_id: Vec<Option<&'a str>>,
    is_resend: Vec<bool>,
    edited_seq: Vec<i64>,
    read_seq: Vec<i64>,
    deleted_seq: Vec<i64>,
    deleted_at: Vec<Option<PgTime>>,
    touched_seq: Vec<i64>,
    waiting: Vec<Option<Vec<u8>>>,
}

impl<'a> FromIterator<&'a Row> for Columns<'a> {
    fn from_iter<I: IntoIterator<Item = &'a Row>>(rows: I) -> Self {
        let mut columns = Self::default();
        for row in rows {
            columns.message_id.push(row.id.as_i64());
            match &row.state {
                State::Posted(posted) => columns.push_posted(posted),
                State::Awaited(waiting) => columns.push_awaited(waiting),
            }
        }
        columns
    }
}

impl<'a> Columns<'a> {
    /// Binds `$1` to `$22`: what [`unnest`] makes a table of.
    pub(crate) fn bind<'q>(self, query: Query<'q, Postgres, PgArguments>) -> Query<'q, Postgres, PgArguments> {
        query
            .bind(self.message_id)
            .bind(self.conversation_id)
            .bind(self.sender_id)
            .bind(self.sender_name)
            .bind(self.content)
            .bind(self.attachment)
            .bind(self.timestamp)
            .bind(self.is_read)
            .bind(self.read_at)
            .bind(self.is_deleted)
            .bind(self.edited_at)
            .bind(self.event_id)
            .bind(self.posted_seq)
            .bind(self.imported_as_read)
            .bind(self.client_id)
            .bind(self.is_resend)
            .bind(self.edited_seq)
            .bind(self.read_seq)
            .bind(self.deleted_seq)
            .bind(self.deleted_at)
            .bind(self.touched_seq)
            .bind(self.waiting)
    }

    fn push_posted(&mut self, posted: &'a Posted) {
        let message = &posted.message;
        let time = |time: Option<Timestamp>| time.map(PgTime);
        self.conversation_id.push(Some(message.conversation.as_i64()));
        self.sender_id.push(Some(message.sender.as_i64()));
        self.sender_name.push(Some(&message.sender_name));
        self.content.push(message.content.as_deref());
        self.attachment.push(message.attachment.as_deref());
        self.timestamp.push(Some(PgTime(message.timestamp)));
        self.is_read.push(message.is_read);
        self.read_at.push(time(message.read_at));
        self.is_deleted.push(message.is_deleted);
        self.edited_at.push(time(message.edited_at));
        self.event_id.push(posted.event.map(|event| Uuid::from_bytes(*event.as_bytes())));
        let stands_elsewhere = posted.posted_seq != message.id.into();
        self.posted_seq.push(stands_elsewhere.then_some(posted.posted_seq.as_i64()));
        self.imported_as_read.push(posted.imported_as_read);
        self.client_id.push(posted.client_id.as_deref());
        self.is_resend.push(posted.is_resend);
        self.edited_seq.push(posted.edited_seq.as_i64());
        self.read_seq.push(posted.read_seq.as_i64());
        self.deleted_seq.push(posted.deleted_seq.as_i64());
        self.deleted_at.push(time(posted.deleted_at));
        self.touched_seq.push(posted.touched_seq.as_i64());
        self.waiting.push(None);
    }

    fn push_awaited(&mut self, waiting: &Waiting) {
        self.conversation_id.push(None);
        self.sender_id.push(None);
        self.sender_name.push(None);
        self.content.push(None);
        self.attachment.push(None);
        self.timestamp.push(None);
        self.is_read.push(false);
        self.read_at.push(None);
        self.is_deleted.push(false);
        self.edited_at.push(None);
        self.event_id.push(None);
        self.posted_seq.push(None);
        self.imported_as_read.push(None);
        self.client_id.push(None);
        self.is_resend.push(false);
        self.edited_seq.push(0);
        self.read_seq.push(0);
        self.deleted_seq.push(0);
        self.deleted_at.push(None);
        self.touched_seq.push(waiting.last().as_i64());
        self.waiting.push(Some(waiting.encode()));
    }
}
