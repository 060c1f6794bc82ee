//! The account store on SQLite.

use async_trait::async_trait;
use natter_model::id::{AccountId, ConversationId};
use natter_model::timestamp::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::SqliteStore;
use super::error::translate;
use super::row;
use crate::accounts::{
    Account, AccountStore, Conversation, Imported, KnownToken, NewAccount, Participant, RefreshToken, Started,
    check_names,
};
use crate::error::StoreError;

#[async_trait]
impl AccountStore for SqliteStore {
    async fn account(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        let row = sqlx::query("SELECT * FROM accounts WHERE account_id = ?")
            .bind(id.as_i64())
            .fetch_optional(&self.readers)
            .await
            .map_err(translate)?;
        row.as_ref().map(account).transpose().map_err(translate)
    }

    async fn account_by_username(&self, username: &str) -> Result<Option<Account>, StoreError> {
        let row = sqlx::query("SELECT * FROM accounts WHERE username = ?")
            .bind(username)
            .fetch_optional(&self.readers)
            .await
            .map_err(translate)?;
        row.as_ref().map(account).transpose().map_err(translate)
    }

    async fn accounts_by_email(&self, email: &str) -> Result<Vec<Account>, StoreError> {
        let rows = sqlx::query("SELECT * FROM accounts WHERE email = ? AND email <> '' ORDER BY account_id")
            .bind(email)
            .fetch_all(&self.readers)
            .await
            .map_err(translate)?;
        rows.iter().map(account).collect::<Result<_, _>>().map_err(translate)
    }

    async fn create_account(&self, account: &NewAccount) -> Result<Option<AccountId>, StoreError> {
        check_names(&account.username, &account.email)?;
        // Asking first, because a refused insert would use an id up.
        let row = sqlx::query(
            "INSERT INTO accounts (username, email, password_hash, is_active, profile_types)
             SELECT ?1, ?2, ?3, TRUE, ?4 WHERE NOT EXISTS (SELECT 1 FROM accounts WHERE username = ?1)
             RETURNING account_id",
        )
        .bind(&account.username)
        .bind(&account.email)
        .bind(&account.password_hash)
        .bind(encode_list(&account.profile_types))
        .fetch_optional(&self.writer)
        .await
        .map_err(translate)?;
        row.map(|row| row::id(&row, "account_id")).transpose().map_err(translate)
    }

    async fn set_password_hash(&self, account: AccountId, old: &str, new: &str) -> Result<bool, StoreError> {
        let done = sqlx::query("UPDATE accounts SET password_hash = ? WHERE account_id = ? AND password_hash = ?")
            .bind(new)
            .bind(account.as_i64())
            .bind(old)
            .execute(&self.writer)
            .await
            .map_err(translate)?;
        Ok(done.rows_affected() > 0)
    }

    async fn accounts_after(&self, after: Option<AccountId>, limit: u32) -> Result<Vec<Account>, StoreError> {
        let rows = sqlx::query("SELECT * FROM accounts WHERE account_id > ? ORDER BY account_id LIMIT ?")
            .bind(after.map_or(0, AccountId::as_i64))
            .bind(limit)
            .fetch_all(&self.readers)
            .await
            .map_err(translate)?;
        rows.iter().map(account).collect::<Result<_, _>>().map_err(translate)
    }

    async fn reserve_ids(&self, below: u64) -> Result<bool, StoreError> {
        self.move_sequences(below).await.map_err(translate)
    }

    async fn import_accounts(&self, accounts: &[Account]) -> Result<Imported, StoreError> {
        for account in accounts {
            check_names(&account.username, &account.email)?;
        }
        self.take_accounts(accounts).await.map_err(translate)
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, StoreError> {
        let mut connection = self.readers.acquire().await.map_err(translate)?;
        read_conversation(&mut connection, id).await.map_err(translate)
    }

    async fn conversations_after(
        &self,
        after: Option<ConversationId>,
        limit: u32,
    ) -> Result<Vec<Conversation>, StoreError> {
        let rows = sqlx::query(
            "SELECT c.conversation_id, c.created_at, p.account_id, a.username
             FROM (SELECT * FROM conversations WHERE conversation_id > ? ORDER BY conversation_id LIMIT ?) c
             LEFT JOIN participants p USING (conversation_id) LEFT JOIN accounts a USING (account_id)
             ORDER BY c.conversation_id, p.account_id",
        )
        .bind(after.map_or(0, ConversationId::as_i64))
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(translate)?;
        gather(&rows).map_err(translate)
    }

    async fn conversations_of(
        &self,
        account: AccountId,
        search: Option<&str>,
    ) -> Result<Vec<Conversation>, StoreError> {
        let rows = sqlx::query(
            "SELECT c.conversation_id, c.created_at, p.account_id, a.username
             FROM participants mine JOIN conversations c USING (conversation_id)
             JOIN participants p USING (conversation_id) JOIN accounts a ON a.account_id = p.account_id
             WHERE mine.account_id = ? ORDER BY c.conversation_id, p.account_id",
        )
        .bind(account.as_i64())
        .fetch_all(&self.readers)
        .await
        .map_err(translate)?;
        let mut conversations = gather(&rows).map_err(translate)?;
        if let Some(search) = search {
            conversations.retain(|conversation| conversation.has_other_like(account, search));
        }
        Ok(conversations)
    }

    async fn start_conversation(&self, one: AccountId, other: AccountId) -> Result<Started, StoreError> {
        if one == other {
            return Err(StoreError::Rejected("a conversation has two different participants".to_owned()));
        }
        self.find_or_insert_conversation(one, other).await.map_err(translate)
    }

    async fn delete_conversation(&self, id: ConversationId) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM conversations WHERE conversation_id = ?")
            .bind(id.as_i64())
            .execute(&self.writer)
            .await
            .map_err(translate)?;
        Ok(done.rows_affected() > 0)
    }

    async fn import_conversations(&self, conversations: &[Conversation]) -> Result<Imported, StoreError> {
        self.take_conversations(conversations).await.map_err(translate)
    }

    async fn import_refresh_tokens(&self, tokens: &[KnownToken]) -> Result<Imported, StoreError> {
        self.take_refresh_tokens(tokens).await.map_err(translate)
    }

    async fn record_refresh_token(&self, token: &RefreshToken) -> Result<(), StoreError> {
        sqlx::query("INSERT OR IGNORE INTO refresh_tokens (jti, account_id, expires_at) VALUES (?, ?, ?)")
            .bind(&token.jti)
            .bind(token.account.as_i64())
            .bind(token.expires_at.as_micros())
            .execute(&self.writer)
            .await
            .map_err(translate)?;
        Ok(())
    }

    async fn is_refresh_token_revoked(&self, jti: &str) -> Result<bool, StoreError> {
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM refresh_tokens WHERE jti = ? AND revoked_at IS NOT NULL)")
            .bind(jti)
            .fetch_one(&self.readers)
            .await
            .map_err(translate)
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.check_ready().await
    }
}

impl SqliteStore {
    async fn find_or_insert_conversation(&self, one: AccountId, other: AccountId) -> Result<Started, sqlx::Error> {
        let mut transaction = self.write().await?;
        let found: Option<i64> = sqlx::query_scalar(
            "SELECT min(conversation_id) FROM participants JOIN participants p USING (conversation_id)
             WHERE participants.account_id = ? AND p.account_id = ?",
        )
        .bind(one.as_i64())
        .bind(other.as_i64())
        .fetch_one(&mut *transaction)
        .await?;
        let id = match found {
            Some(found) => found,
            None => {
                sqlx::query_scalar("INSERT INTO conversations (created_at) VALUES (?) RETURNING conversation_id")
                    .bind(Timestamp::now().as_micros())
                    .fetch_one(&mut *transaction)
                    .await?
            }
        };
        let id = ConversationId::try_from(id).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        if found.is_none() {
            insert_participants(&mut transaction, id, &[one, other]).await?;
        }
        let conversation = read_conversation(&mut transaction, id).await?.ok_or(sqlx::Error::RowNotFound)?;
        transaction.commit().await?;
        Ok(Started { conversation, created: found.is_none() })
    }
}

async fn insert_participants(
    connection: &mut SqliteConnection,
    conversation: ConversationId,
    accounts: &[AccountId],
) -> Result<(), sqlx::Error> {
    for account in accounts {
        sqlx::query("INSERT INTO participants (conversation_id, account_id) VALUES (?, ?)")
            .bind(conversation.as_i64())
            .bind(account.as_i64())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

async fn read_conversation(
    connection: &mut SqliteConnection,
    id: ConversationId,
) -> Result<Option<Conversation>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT c.conversation_id, c.created_at, p.account_id, a.username
         FROM conversations c LEFT JOIN participants p USING (conversation_id) LEFT JOIN accounts a USING (account_id)
         WHERE c.conversation_id = ? ORDER BY p.account_id",
    )
    .bind(id.as_i64())
    .fetch_all(connection)
    .await?;
    Ok(gather(&rows)?.pop())
}

fn gather(rows: &[SqliteRow]) -> Result<Vec<Conversation>, sqlx::Error> {
    let rows = rows.iter().map(|row| {
        let username: Option<String> = row.try_get("username")?;
        let participant =
            username.map(|username| Ok::<_, sqlx::Error>(Participant { id: row::id(row, "account_id")?, username }));
        let created_at = Timestamp::from_micros(row.try_get("created_at")?);
        Ok((row::id(row, "conversation_id")?, created_at, participant.transpose()?))
    });
    Ok(Conversation::gather(rows.collect::<Result<Vec<_>, sqlx::Error>>()?))
}

pub(super) fn account(row: &SqliteRow) -> Result<Account, sqlx::Error> {
    let profile_types: String = row.try_get("profile_types")?;
    Ok(Account {
        id: row::id(row, "account_id")?,
        username: row.try_get("username")?,
        email: row.try_get("email")?,
        password_hash: row.try_get("password_hash")?,
        is_active: row.try_get("is_active")?,
        profile_types: serde_json::from_str(&profile_types).map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
    })
}

pub(super) fn encode_list(list: &[String]) -> String {
    serde_json::Value::from(list).to_string()
}
