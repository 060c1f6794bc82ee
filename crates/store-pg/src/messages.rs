//! The message store on Postgres.

use async_trait::async_trait;
use futures_util::FutureExt as _;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use natter_model::event::Entry;
use natter_model::id::{AccountId, ConversationId, MessageId, Position};
use natter_store::batch::Batch;
use natter_store::changes::{HIGHEST_GIVEN, QUERY};
use natter_store::error::StoreError;
use natter_store::messages::{Deleted, Message, MessageStore, Misfit, Order, Page, PageQuery, Refused, Summary};
use natter_store::page::Place;
use natter_store::resend::ClientKey;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row as _};

use crate::apply;
use crate::database::{ANSWER, BadUrl, Database, decoded, in_time};
use crate::migrate::{MigrateError, PERSISTENCE};
use crate::row::{self, message_columns};
use crate::value;

/// Messages of another system that are brought in in one transaction. It has to be done in the time that one answer may
/// take, on a server that has other things to do.
const IMPORTED_AT_ONCE: usize = 4_000;

/// Transactions that bring messages in at the same time: the server works on one while the next one is prepared.
const IMPORTS_AT_ONCE: usize = 3;

/// Messages, read marks, erasures and quarantine, in the schema `persistence`. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PgMessages {
    pub(crate) database: Database,
}

impl PgMessages {
    /// Connects when first asked, and again whenever the server comes back.
    pub fn connect_lazy(url: &str) -> Result<Self, BadUrl> {
        Ok(Self { database: Database::connect_lazy(url, &PERSISTENCE)? })
    }

    /// Makes the schema and its tables, or brings them up to date. May be called at any time, by several at once.
    pub async fn migrate(url: &str) -> Result<(), MigrateError> {
        PERSISTENCE.migrate(url).await
    }
}

#[async_trait]
impl MessageStore for PgMessages {
    async fn apply(&self, entries: &[Entry]) -> Result<Vec<Misfit>, StoreError> {
        Ok(apply::commit(&self.database, || Batch::of_entries(entries)).await?.misfits)
    }

    async fn quarantine(&self, position: Position, record: &[u8], reason: &str) -> Result<(), StoreError> {
        let query = sqlx::query(
            "INSERT INTO quarantine (position, reason, record) VALUES ($1, $2, $3)
             ON CONFLICT (position, md5(reason)) DO NOTHING",
        )
        .bind(position.as_i64())
        .bind(reason.replace('\0', "\u{fffd}"))
        .bind(record);
        self.database.execute(query).await.map(drop)
    }

    async fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        let query = sqlx::query(concat!(
            "SELECT ",
            message_columns!(),
            " FROM messages WHERE message_id = $1 AND conversation_id IS NOT NULL AND NOT is_resend"
        ))
        .bind(id.as_i64());
        let row = self.database.row(query).await?;
        decoded(row.as_ref().map(row::message).transpose())
    }

    async fn page(&self, query: &PageQuery) -> Result<Page, StoreError> {
        in_time(ANSWER, self.read_page(query)).await
    }

    async fn summaries(
        &self,
        account: AccountId,
        conversations: &[ConversationId],
        latest: usize,
    ) -> Result<Vec<Summary>, StoreError> {
        in_time(ANSWER, self.read_summaries(account, conversations, latest)).await
    }

    async fn changes(
        &self,
        conversation: ConversationId,
        since: Position,
        upto: Position,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let query = sqlx::query(QUERY)
            .bind(conversation.as_i64())
            .bind(since.as_i64())
            .bind(upto.as_i64())
            .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = self.database.rows(query).await?;
        rows.iter().map(|row| Ok(decoded(row::change(row))?.into_entry(conversation))).collect()
    }

    async fn sent_as(&self, key: &ClientKey) -> Result<Option<Message>, StoreError> {
        let query = sqlx::query(concat!(
            "SELECT ",
            message_columns!(),
            " FROM messages WHERE conversation_id = $1 AND sender_id = $2 AND client_id = $3 \
             AND client_id IS NOT NULL AND NOT is_resend"
        ))
        .bind(key.conversation.as_i64())
        .bind(key.sender.as_i64())
        .bind(&key.client_id);
        let row = self.database.row(query).await?;
        decoded(row.as_ref().map(row::message).transpose())
    }

    async fn import(&self, messages: &[Message]) -> Result<Vec<Refused>, StoreError> {
        let batches: Vec<_> = messages.chunks(IMPORTED_AT_ONCE).map(|some| self.import_some(some).boxed()).collect();
        let refused: Vec<_> = stream::iter(batches).buffered(IMPORTS_AT_ONCE).try_collect().await?;
        Ok(refused.into_iter().flatten().collect())
    }

    async fn highest(&self) -> Result<Position, StoreError> {
        let query = sqlx::query(
            "SELECT greatest(
                 (SELECT max(touched_seq) FROM messages),
                 (SELECT max(erased_seq) FROM erasures),
                 (SELECT max(position) FROM quarantine),
                 0) AS highest",
        );
        let row = self.database.row(query).await?;
        decoded(row.map_or(Ok(Position::START), |row| value::position(&row, "highest")))
    }

    async fn highest_given(&self) -> Result<Option<MessageId>, StoreError> {
        let row = self.database.row(sqlx::query(HIGHEST_GIVEN)).await?;
        decoded(row.map(|row| value::id(&row, "message_id")).transpose())
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.database.ready().await
    }
}

impl PgMessages {
    async fn import_some(&self, messages: &[Message]) -> Result<Vec<Refused>, StoreError> {
        Ok(apply::commit(&self.database, || Batch::of_imports(messages)).await?.refused)
    }

    async fn read_page(&self, query: &PageQuery) -> Result<Page, sqlx::Error> {
        let mut conversations = ids(&query.conversations);
        conversations.sort_unstable();
        conversations.dedup();
        let with_deleted = query.deleted == Deleted::Included;
        let mut lease = self.database.lease().await?;
        let count: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM messages WHERE conversation_id = ANY ($1) AND ($2 OR NOT is_deleted)
             AND NOT is_resend",
        )
        .bind(&conversations)
        .bind(with_deleted)
        .fetch_one(&mut *lease)
        .await?;
        let count = count.unsigned_abs();
        let place = Place::of(query, count);
        let mut page = Page { count, pages: place.pages, number: place.number, messages: Vec::new() };
        if page.number.is_some() {
            let direction = match query.order {
                Order::OldestFirst => "ASC",
                Order::NewestFirst => "DESC",
            };
            // Each conversation by itself, because only so its index yields the order.
            let statement = format!(
                "SELECT m.* FROM unnest($1::bigint[]) AS asked (id) CROSS JOIN LATERAL (
                     SELECT {} FROM messages WHERE conversation_id = asked.id AND ($2 OR NOT is_deleted) AND NOT is_resend
                     ORDER BY timestamp {direction}, message_id {direction} LIMIT $3 + $4
                 ) AS m ORDER BY m.timestamp {direction}, m.message_id {direction} LIMIT $3 OFFSET $4",
                message_columns!()
            );
            let rows = sqlx::query(AssertSqlSafe(statement))
                .bind(&conversations)
                .bind(with_deleted)
                .bind(i64::from(query.size.max(1)))
                .bind(i64::try_from(place.offset).unwrap_or(i64::MAX))
                .fetch_all(&mut *lease)
                .await?;
            page.messages = rows.iter().map(row::message).collect::<Result<_, _>>()?;
        }
        lease.give_back();
        Ok(page)
    }

    async fn read_summaries(
        &self,
        account: AccountId,
        conversations: &[ConversationId],
        latest: usize,
    ) -> Result<Vec<Summary>, sqlx::Error> {
        let mut lease = self.database.lease().await?;
        let counts = sqlx::query(
            "SELECT asked.conversation_id, unread.n
             FROM unnest($1::bigint[]) WITH ORDINALITY AS asked (conversation_id, place)
             LEFT JOIN read_marks r ON r.conversation_id = asked.conversation_id AND r.account_id = $2
             LEFT JOIN given_read_marks given ON given.conversation_id = asked.conversation_id AND given.account_id = $2
             LEFT JOIN messages last ON last.message_id = given.message_id
             CROSS JOIN LATERAL (
                 SELECT count(*) AS n FROM messages m
                 WHERE m.conversation_id = asked.conversation_id
                 AND coalesce(m.posted_seq, m.message_id) > greatest(r.message_id, given.message_id, 0)
                 AND CASE WHEN m.event_id IS NULL OR m.posted_seq IS NOT NULL
                     THEN m.message_id > coalesce(given.message_id, 0)
                     ELSE m.message_id > coalesce(last.posted_seq, 0) END
                 AND m.sender_id <> $2 AND NOT m.is_deleted AND NOT m.is_resend
                 AND NOT coalesce(m.imported_as_read, FALSE)
             ) AS unread
             ORDER BY asked.place",
        )
        .bind(ids(conversations))
        .bind(account.as_i64())
        .fetch_all(&mut *lease)
        .await?;
        let newest = sqlx::query(concat!(
            "SELECT asked.place, newest.* FROM unnest($1::bigint[]) WITH ORDINALITY AS asked (id, place) CROSS JOIN LATERAL (SELECT ",
            message_columns!(),
            " FROM messages WHERE conversation_id = asked.id AND NOT is_resend ORDER BY timestamp DESC, message_id DESC LIMIT $2) \
             AS newest ORDER BY asked.place, newest.timestamp, newest.message_id"
        ))
        .bind(ids(conversations))
        .bind(i64::try_from(latest).unwrap_or(i64::MAX))
        .fetch_all(&mut *lease)
        .await?;
        lease.give_back();
        summarize(&counts, &newest)
    }
}

/// The counts in the order asked for, each with its messages: those whose `place`, from 1, is that of the count.
fn summarize(counts: &[PgRow], newest: &[PgRow]) -> Result<Vec<Summary>, sqlx::Error> {
    let mut summaries = Vec::with_capacity(counts.len());
    for count in counts {
        let unread: i64 = count.try_get("n")?;
        let conversation = value::id(count, "conversation_id")?;
        summaries.push(Summary { conversation, latest: Vec::new(), unread_count: unread.unsigned_abs() });
    }
    for row in newest {
        let place: i64 = row.try_get("place")?;
        let index = usize::try_from(place - 1).map_err(|error| value::decode_error("place", error))?;
        summaries[index].latest.push(row::message(row)?);
    }
    Ok(summaries)
}

fn ids(conversations: &[ConversationId]) -> Vec<i64> {
    conversations.iter().map(|conversation| conversation.as_i64()).collect()
}
