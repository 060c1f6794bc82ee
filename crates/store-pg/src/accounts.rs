//! The account store on Postgres.

use async_trait::async_trait;
use natter_model::id::{AccountId, ConversationId};
use natter_model::timestamp::Timestamp;
use natter_store::accounts::{
    Account, AccountStore, Conversation, Imported, KnownToken, NewAccount, Participant, RefreshToken, Started,
    check_names,
};
use natter_store::error::StoreError;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection as _, Row as _};

use crate::database::{BadUrl, Database, Statement, decoded};
use crate::import;
use crate::migrate::{AUTHZ, MigrateError};
use crate::value::{self, PgTime};

/// Accounts, conversations, tokens and rights that ended, in the schema `authz`. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PgAccounts {
    pub(crate) database: Database,
}

impl PgAccounts {
    /// Connects when first asked, and again whenever the server comes back.
    pub fn connect_lazy(url: &str) -> Result<Self, BadUrl> {
        Ok(Self { database: Database::connect_lazy(url, &AUTHZ)? })
    }

    /// Makes the schema and its tables, or brings them up to date. May be called at any time, by several at once.
    pub async fn migrate(url: &str) -> Result<(), MigrateError> {
        AUTHZ.migrate(url).await
    }
}

#[async_trait]
impl AccountStore for PgAccounts {
    async fn account(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        let query = sqlx::query("SELECT * FROM accounts WHERE account_id = $1").bind(id.as_i64());
        let row = self.database.row(query).await?;
        decoded(row.as_ref().map(account).transpose())
    }

    async fn account_by_username(&self, username: &str) -> Result<Option<Account>, StoreError> {
        if !can_be_stored(username) {
            return Ok(None);
        }
        let query = sqlx::query("SELECT * FROM accounts WHERE username = $1").bind(username);
        let row = self.database.row(query).await?;
        decoded(row.as_ref().map(account).transpose())
    }

    async fn accounts_by_email(&self, email: &str) -> Result<Vec<Account>, StoreError> {
        if !can_be_stored(email) {
            return Ok(Vec::new());
        }
        let query =
            sqlx::query("SELECT * FROM accounts WHERE lower(email) = lower($1) AND email <> '' ORDER BY account_id");
        let rows = self.database.rows(query.bind(email)).await?;
        decoded(rows.iter().map(account).collect())
    }

    async fn create_account(&self, account: &NewAccount) -> Result<Option<AccountId>, StoreError> {
        check_names(&account.username, &account.email)?;
        // Asking first, because a refused insert would use an id up.
        let query = sqlx::query(
            "INSERT INTO accounts (username, email, password_hash, is_active, profile_types)
             SELECT $1, $2, $3, TRUE, $4 WHERE NOT EXISTS (SELECT FROM accounts WHERE username = $1)
             ON CONFLICT (username) DO NOTHING RETURNING account_id",
        )
        .bind(&account.username)
        .bind(&account.email)
        .bind(&account.password_hash)
        .bind(&account.profile_types);
        let row = self.database.row(query).await?;
        decoded(row.map(|row| value::id(&row, "account_id")).transpose())
    }

    async fn set_password_hash(&self, account: AccountId, old: &str, new: &str) -> Result<bool, StoreError> {
        let query = sqlx::query("UPDATE accounts SET password_hash = $1 WHERE account_id = $2 AND password_hash = $3")
            .bind(new)
            .bind(account.as_i64())
            .bind(old);
        Ok(self.database.execute(query).await? > 0)
    }

    async fn accounts_after(&self, after: Option<AccountId>, limit: u32) -> Result<Vec<Account>, StoreError> {
        let query = sqlx::query("SELECT * FROM accounts WHERE account_id > $1 ORDER BY account_id LIMIT $2")
            .bind(after.map_or(0, AccountId::as_i64))
            .bind(i64::from(limit));
        let rows = self.database.rows(query).await?;
        decoded(rows.iter().map(account).collect())
    }

    async fn reserve_ids(&self, below: u64) -> Result<bool, StoreError> {
        self.database.lend(async |connection| import::reserve_ids(connection, below).await).await
    }

    async fn import_accounts(&self, accounts: &[Account]) -> Result<Imported, StoreError> {
        for account in accounts {
            check_names(&account.username, &account.email)?;
        }
        self.database.lend(async |connection| import::accounts(connection, accounts).await).await
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, StoreError> {
        let rows = self.database.rows(conversation_query(id)).await?;
        Ok(decoded(gather(&rows))?.pop())
    }

    async fn conversations_after(
        &self,
        after: Option<ConversationId>,
        limit: u32,
    ) -> Result<Vec<Conversation>, StoreError> {
        let query = sqlx::query(
            "SELECT c.conversation_id, c.created_at, p.account_id, a.username
             FROM (SELECT * FROM conversations WHERE conversation_id > $1 ORDER BY conversation_id LIMIT $2) c
             LEFT JOIN participants p USING (conversation_id) LEFT JOIN accounts a USING (account_id)
             ORDER BY c.conversation_id, p.account_id",
        )
        .bind(after.map_or(0, ConversationId::as_i64))
        .bind(i64::from(limit));
        let rows = self.database.rows(query).await?;
        decoded(gather(&rows))
    }

    async fn conversations_of(
        &self,
        account: AccountId,
        search: Option<&str>,
    ) -> Result<Vec<Conversation>, StoreError> {
        let query = sqlx::query(
            "SELECT c.conversation_id, c.created_at, p.account_id, a.username
             FROM participants mine JOIN conversations c USING (conversation_id)
             JOIN participants p USING (conversation_id) JOIN accounts a ON a.account_id = p.account_id
             WHERE mine.account_id = $1 ORDER BY c.conversation_id, p.account_id",
        )
        .bind(account.as_i64());
        let rows = self.database.rows(query).await?;
        let mut conversations = decoded(gather(&rows))?;
        if let Some(search) = search {
            conversations.retain(|conversation| conversation.has_other_like(account, search));
        }
        Ok(conversations)
    }

    async fn start_conversation(&self, one: AccountId, other: AccountId) -> Result<Started, StoreError> {
        if one == other {
            return Err(StoreError::Rejected("a conversation has two different participants".to_owned()));
        }
        self.database.lend(async |connection| find_or_insert_conversation(connection, one, other).await).await
    }

    async fn delete_conversation(&self, id: ConversationId) -> Result<bool, StoreError> {
        let query = sqlx::query("DELETE FROM conversations WHERE conversation_id = $1").bind(id.as_i64());
        Ok(self.database.execute(query).await? > 0)
    }

    async fn import_conversations(&self, conversations: &[Conversation]) -> Result<Imported, StoreError> {
        self.database.lend(async |connection| import::conversations(connection, conversations).await).await
    }

    async fn import_refresh_tokens(&self, tokens: &[KnownToken]) -> Result<Imported, StoreError> {
        self.database.lend(async |connection| import::refresh_tokens(connection, tokens).await).await
    }

    async fn record_refresh_token(&self, token: &RefreshToken) -> Result<(), StoreError> {
        let query = sqlx::query(
            "INSERT INTO refresh_tokens (jti, account_id, expires_at) VALUES ($1, $2, $3) ON CONFLICT (jti) DO NOTHING",
        )
        .bind(&token.jti)
        .bind(token.account.as_i64())
        .bind(PgTime(token.expires_at));
        self.database.execute(query).await.map(drop)
    }

    async fn is_refresh_token_revoked(&self, jti: &str) -> Result<bool, StoreError> {
        if !can_be_stored(jti) {
            return Ok(false);
        }
        let query = sqlx::query("SELECT FROM refresh_tokens WHERE jti = $1 AND revoked_at IS NOT NULL").bind(jti);
        Ok(self.database.row(query).await?.is_some())
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.database.ready().await
    }
}

/// Postgres refuses even to compare with U+0000.
pub(crate) fn can_be_stored(text: &str) -> bool {
    !text.contains('\0')
}

async fn find_or_insert_conversation(
    connection: &mut PgConnection,
    one: AccountId,
    other: AccountId,
) -> Result<Started, sqlx::Error> {
    let (low, high) = (one.min(other), one.max(other));
    let mut transaction = connection.begin().await?;
    // The same two asking at the same moment go one after the other. A statement of its own: the next one has to see
    // what the other transaction committed.
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
        .bind(format!("natter conversation {low} {high}"))
        .execute(&mut *transaction)
        .await?;
    let found: Option<i64> = sqlx::query_scalar(
        "SELECT min(conversation_id) FROM participants l JOIN participants h USING (conversation_id)
         WHERE l.account_id = $1 AND h.account_id = $2",
    )
    .bind(low.as_i64())
    .bind(high.as_i64())
    .fetch_one(&mut *transaction)
    .await?;
    let id = match found {
        Some(found) => found,
        None => {
            sqlx::query_scalar("INSERT INTO conversations (created_at) VALUES ($1) RETURNING conversation_id")
                .bind(PgTime(Timestamp::now()))
                .fetch_one(&mut *transaction)
                .await?
        }
    };
    let id = ConversationId::try_from(id).map_err(|error| value::decode_error("conversation_id", error))?;
    if found.is_none() {
        insert_participants(&mut transaction, id, &[low, high]).await?;
    }
    let rows = conversation_query(id).fetch_all(&mut *transaction).await?;
    let conversation = gather(&rows)?.pop().ok_or(sqlx::Error::RowNotFound)?;
    transaction.commit().await?;
    Ok(Started { conversation, created: found.is_none() })
}

async fn insert_participants(
    connection: &mut PgConnection,
    conversation: ConversationId,
    accounts: &[AccountId],
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO participants (conversation_id, account_id) SELECT $1, unnest($2::bigint[])")
        .bind(conversation.as_i64())
        .bind(accounts.iter().map(|account| account.as_i64()).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

fn conversation_query<'q>(id: ConversationId) -> Statement<'q> {
    sqlx::query(
        "SELECT c.conversation_id, c.created_at, p.account_id, a.username
         FROM conversations c LEFT JOIN participants p USING (conversation_id) LEFT JOIN accounts a USING (account_id)
         WHERE c.conversation_id = $1 ORDER BY p.account_id",
    )
    .bind(id.as_i64())
}

fn gather(rows: &[PgRow]) -> Result<Vec<Conversation>, sqlx::Error> {
    let rows = rows.iter().map(|row| {
        let username: Option<String> = row.try_get("username")?;
        let participant = match username {
            Some(username) => Some(Participant { id: value::id(row, "account_id")?, username }),
            None => None,
        };
        Ok((value::id(row, "conversation_id")?, value::time(row, "created_at")?, participant))
    });
    Ok(Conversation::gather(rows.collect::<Result<Vec<_>, sqlx::Error>>()?))
}

pub(crate) fn account(row: &PgRow) -> Result<Account, sqlx::Error> {
    Ok(Account {
        id: value::id(row, "account_id")?,
        username: row.try_get("username")?,
        email: row.try_get("email")?,
        password_hash: row.try_get("password_hash")?,
        is_active: row.try_get("is_active")?,
        profile_types: row.try_get("profile_types")?,
    })
}
