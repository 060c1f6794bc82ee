//! The message store on SQLite.

use async_trait::async_trait;
use natter_model::event::Entry;
use natter_model::id::{AccountId, ConversationId, MessageId, Position};
use natter_model::timestamp::Timestamp;
use sqlx::{AssertSqlSafe, Row as _};

use super::SqliteStore;
use super::error::translate;
use super::row::{self, conversations_json, message_columns};
use crate::batch::Batch;
use crate::changes::{HIGHEST_GIVEN, QUERY};
use crate::error::StoreError;
use crate::messages::{Deleted, Message, MessageStore, Misfit, Order, Page, PageQuery, Refused, Summary};
use crate::page::Place;
use crate::resend::ClientKey;

/// Messages of another system that are brought in at a time, so that others may write in between.
const IMPORTED_AT_ONCE: usize = 5_000;

#[async_trait]
impl MessageStore for SqliteStore {
    async fn apply(&self, entries: &[Entry]) -> Result<Vec<Misfit>, StoreError> {
        let changes = self.commit(Batch::of_entries(entries)).await.map_err(translate)?;
        Ok(changes.misfits)
    }

    async fn quarantine(&self, position: Position, record: &[u8], reason: &str) -> Result<(), StoreError> {
        sqlx::query("INSERT OR IGNORE INTO quarantine (position, reason, record, kept_at) VALUES (?, ?, ?, ?)")
            .bind(position.as_i64())
            .bind(reason)
            .bind(record)
            .bind(Timestamp::now().as_micros())
            .execute(&self.writer)
            .await
            .map_err(translate)?;
        Ok(())
    }

    async fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        let row = sqlx::query(concat!(
            "SELECT ",
            message_columns!(),
            " FROM messages WHERE message_id = ? AND conversation_id IS NOT NULL AND NOT is_resend"
        ))
        .bind(id.as_i64())
        .fetch_optional(&self.readers)
        .await
        .map_err(translate)?;
        row.as_ref().map(row::message).transpose().map_err(translate)
    }

    async fn page(&self, query: &PageQuery) -> Result<Page, StoreError> {
        self.read_page(query).await.map_err(translate)
    }

    async fn summaries(
        &self,
        account: AccountId,
        conversations: &[ConversationId],
        latest: usize,
    ) -> Result<Vec<Summary>, StoreError> {
        self.read_summaries(account, conversations, latest).await.map_err(translate)
    }

    async fn changes(
        &self,
        conversation: ConversationId,
        since: Position,
        upto: Position,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let rows = sqlx::query(QUERY)
            .bind(conversation.as_i64())
            .bind(since.as_i64())
            .bind(upto.as_i64())
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&self.readers)
            .await
            .map_err(translate)?;
        let changes = rows.iter().map(row::change);
        changes.map(|change| Ok(change.map_err(translate)?.into_entry(conversation))).collect()
    }

    async fn sent_as(&self, key: &ClientKey) -> Result<Option<Message>, StoreError> {
        let row = sqlx::query(concat!(
            "SELECT ",
            message_columns!(),
            " FROM messages WHERE conversation_id = ? AND sender_id = ? AND client_id = ? AND is_resend = 0"
        ))
        .bind(key.conversation.as_i64())
        .bind(key.sender.as_i64())
        .bind(&key.client_id)
        .fetch_optional(&self.readers)
        .await
        .map_err(translate)?;
        row.as_ref().map(row::message).transpose().map_err(translate)
    }

    async fn import(&self, messages: &[Message]) -> Result<Vec<Refused>, StoreError> {
        let mut refused = Vec::new();
        for messages in messages.chunks(IMPORTED_AT_ONCE) {
            refused.extend(self.commit(Batch::of_imports(messages)).await.map_err(translate)?.refused);
        }
        Ok(refused)
    }

    async fn highest(&self) -> Result<Position, StoreError> {
        let row = sqlx::query(
            "SELECT max(
                 coalesce((SELECT max(touched_seq) FROM messages), 0),
                 coalesce((SELECT max(erased_seq) FROM erasures), 0),
                 coalesce((SELECT max(position) FROM quarantine), 0)
             ) AS highest",
        )
        .fetch_one(&self.readers)
        .await
        .map_err(translate)?;
        row::position(&row, "highest").map_err(translate)
    }

    async fn highest_given(&self) -> Result<Option<MessageId>, StoreError> {
        let row = sqlx::query(HIGHEST_GIVEN).fetch_optional(&self.readers).await.map_err(translate)?;
        row.map(|row| row::id(&row, "message_id")).transpose().map_err(translate)
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.check_ready().await
    }
}

impl SqliteStore {
    async fn read_page(&self, query: &PageQuery) -> Result<Page, sqlx::Error> {
        let conversations = conversations_json(query.conversations.iter().copied());
        let with_deleted = query.deleted == Deleted::Included;
        // One transaction, so that the count and the page speak of the same moment.
        let mut transaction = self.readers.begin().await?;
        let count: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM messages
             WHERE conversation_id IN (SELECT value FROM json_each(?)) AND (? OR NOT is_deleted) AND NOT is_resend",
        )
        .bind(&conversations)
        .bind(with_deleted)
        .fetch_one(&mut *transaction)
        .await?;
        let count = count.unsigned_abs();
        let place = Place::of(query, count);
        let mut page = Page { count, pages: place.pages, number: place.number, messages: Vec::new() };
        if page.number.is_some() {
            let direction = match query.order {
                Order::OldestFirst => "ASC",
                Order::NewestFirst => "DESC",
            };
            // Only of a single conversation does the index yield the order.
            let among = if query.conversations.len() == 1 { "=" } else { "IN" };
            let statement = format!(
                "SELECT {} FROM messages WHERE conversation_id {among} (SELECT value FROM json_each(?))
                 AND (? OR NOT is_deleted) AND NOT is_resend ORDER BY timestamp {direction}, message_id {direction} LIMIT ? OFFSET ?",
                message_columns!()
            );
            let rows = sqlx::query(AssertSqlSafe(statement))
                .bind(&conversations)
                .bind(with_deleted)
                .bind(query.size.max(1))
                .bind(i64::try_from(place.offset).unwrap_or(i64::MAX))
                .fetch_all(&mut *transaction)
                .await?;
            page.messages = rows.iter().map(row::message).collect::<Result<_, _>>()?;
        }
        Ok(page)
    }

    async fn read_summaries(
        &self,
        account: AccountId,
        conversations: &[ConversationId],
        latest: usize,
    ) -> Result<Vec<Summary>, sqlx::Error> {
        let mut transaction = self.readers.begin().await?;
        let counts = sqlx::query(
            "SELECT asked.conversation_id,
                 (SELECT count(*) FROM messages m
                  WHERE m.conversation_id = asked.conversation_id
                  AND coalesce(m.posted_seq, m.message_id) > max(asked.mark, asked.given_mark)
                  AND CASE WHEN m.event_id IS NULL OR m.posted_seq IS NOT NULL
                      THEN m.message_id > asked.given_mark
                      ELSE m.message_id > coalesce((SELECT posted_seq FROM messages g
                                                    WHERE g.message_id = asked.given_mark), 0) END
                  AND m.sender_id <> ?2 AND NOT m.is_deleted AND NOT m.is_resend
                  AND NOT coalesce(m.imported_as_read, FALSE)) AS unread
             FROM (SELECT value AS conversation_id,
                       coalesce((SELECT message_id FROM read_marks r
                                 WHERE r.conversation_id = value AND r.account_id = ?2), 0) AS mark,
                       coalesce((SELECT message_id FROM given_read_marks r
                                 WHERE r.conversation_id = value AND r.account_id = ?2), 0) AS given_mark
                   FROM json_each(?1) ORDER BY key) asked",
        )
        .bind(conversations_json(conversations.iter().copied()))
        .bind(account.as_i64())
        .fetch_all(&mut *transaction)
        .await?;
        let mut summaries = Vec::with_capacity(conversations.len());
        for count in &counts {
            let conversation: ConversationId = row::id(count, "conversation_id")?;
            let unread: i64 = count.try_get("unread")?;
            let mut newest = sqlx::query(concat!(
                "SELECT ",
                message_columns!(),
                " FROM messages WHERE conversation_id = ? AND NOT is_resend ORDER BY timestamp DESC, message_id DESC LIMIT ?"
            ))
            .bind(conversation.as_i64())
            .bind(i64::try_from(latest).unwrap_or(i64::MAX))
            .fetch_all(&mut *transaction)
            .await?;
            newest.reverse();
            let latest = newest.iter().map(row::message).collect::<Result<_, _>>()?;
            summaries.push(Summary { conversation, latest, unread_count: unread.unsigned_abs() });
        }
        Ok(summaries)
    }
}
