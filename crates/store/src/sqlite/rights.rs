//! Rights that ended, on SQLite.

use async_trait::async_trait;
use natter_model::id::{AccountId, ConversationId};
use natter_model::timestamp::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::SqliteStore;
use super::accounts;
use super::error::translate;
use super::row;
use crate::accounts::{Account, Participant, RefreshToken};
use crate::error::StoreError;
use crate::rights::{Change, Ended, Removal, RevokedToken, RevokedTokens, RightsStore, Unannounced};

#[async_trait]
impl RightsStore for SqliteStore {
    async fn revoke_token(&self, token: &RevokedToken) -> Result<bool, StoreError> {
        self.insert_token(token).await.map_err(translate)
    }

    async fn revoke_refresh_token(
        &self,
        refresh: &RefreshToken,
        access: Option<&RevokedToken>,
    ) -> Result<bool, StoreError> {
        self.log_out(refresh, access).await.map_err(translate)
    }

    async fn revoke_tokens_of(&self, tokens: &RevokedTokens) -> Result<(), StoreError> {
        self.insert_tokens(tokens).await.map_err(translate)
    }

    async fn remove_participant(
        &self,
        conversation: ConversationId,
        account: AccountId,
        expires_at: Timestamp,
    ) -> Result<Removal, StoreError> {
        self.delete_participant(conversation, account, expires_at).await.map_err(translate)
    }

    async fn is_token_revoked(&self, jti: &str, account: AccountId, issued_at_s: i64) -> Result<bool, StoreError> {
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM rights_changes WHERE kind = 'token' AND jti = ?)
             OR EXISTS (SELECT 1 FROM rights_changes WHERE kind = 'tokens' AND account_id = ? AND issued_up_to >= ?)",
        )
        .bind(jti)
        .bind(account.as_i64())
        .bind(issued_at_s)
        .fetch_one(&self.readers)
        .await
        .map_err(translate)
    }

    async fn bearer(
        &self,
        account: AccountId,
        jti: &str,
        issued_at_s: i64,
    ) -> Result<Option<(Account, bool)>, StoreError> {
        let row = sqlx::query(
            "SELECT a.*, EXISTS (SELECT 1 FROM rights_changes r WHERE r.kind = 'token' AND r.jti = ?2)
             OR EXISTS (SELECT 1 FROM rights_changes r WHERE r.kind = 'tokens' AND r.account_id = ?1
                        AND r.issued_up_to >= ?3) AS is_revoked
             FROM accounts a WHERE a.account_id = ?1",
        )
        .bind(account.as_i64())
        .bind(jti)
        .bind(issued_at_s)
        .fetch_optional(&self.readers)
        .await
        .map_err(translate)?;
        let bearer = row.map(|row| Ok((accounts::account(&row)?, row.try_get("is_revoked")?)));
        bearer.transpose().map_err(translate)
    }

    async fn revoked_up_to(&self, account: AccountId) -> Result<Option<i64>, StoreError> {
        sqlx::query_scalar("SELECT issued_up_to FROM rights_changes WHERE kind = 'tokens' AND account_id = ?")
            .bind(account.as_i64())
            .fetch_optional(&self.readers)
            .await
            .map_err(translate)
    }

    async fn changes(&self, after: u64, limit: u32) -> Result<Vec<Change>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM rights_changes WHERE change_id > ? AND expires_at > ? ORDER BY change_id LIMIT ?",
        )
        .bind(after.cast_signed())
        .bind(Timestamp::now().as_micros())
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(translate)?;
        rows.iter().map(change).collect::<Result<_, _>>().map_err(translate)
    }

    async fn last_change(&self) -> Result<u64, StoreError> {
        let last: Option<i64> = sqlx::query_scalar("SELECT max(change_id) FROM rights_changes")
            .fetch_one(&self.readers)
            .await
            .map_err(translate)?;
        Ok(last.unwrap_or_default().cast_unsigned())
    }

    async fn unannounced(&self, limit: u32) -> Result<Vec<Unannounced>, StoreError> {
        let rows = sqlx::query(
            "SELECT r.*, a.username FROM rights_changes r LEFT JOIN accounts a USING (account_id)
             WHERE announced = 0 ORDER BY change_id LIMIT ?",
        )
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(translate)?;
        rows.iter().map(unannounced).collect::<Result<_, _>>().map_err(translate)
    }

    async fn mark_announced(&self, change_id: u64) -> Result<(), StoreError> {
        let marked = sqlx::query("UPDATE rights_changes SET announced = TRUE WHERE change_id = ?")
            .bind(change_id.cast_signed())
            .execute(&self.writer)
            .await;
        marked.map(drop).map_err(translate)
    }

    async fn is_announced(&self, change_id: u64) -> Result<bool, StoreError> {
        sqlx::query_scalar("SELECT NOT EXISTS (SELECT 1 FROM rights_changes WHERE change_id = ? AND announced = 0)")
            .bind(change_id.cast_signed())
            .fetch_one(&self.readers)
            .await
            .map_err(translate)
    }

    async fn forget_expired(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut n_forgotten = 0;
        for statement in [
            "DELETE FROM rights_changes WHERE expires_at <= ? AND announced <> 0",
            "DELETE FROM refresh_tokens WHERE expires_at <= ?",
        ] {
            let done = sqlx::query(statement).bind(now.as_micros()).execute(&self.writer).await.map_err(translate)?;
            n_forgotten += done.rows_affected();
        }
        Ok(n_forgotten)
    }
}

impl SqliteStore {
    async fn insert_token(&self, token: &RevokedToken) -> Result<bool, sqlx::Error> {
        let mut transaction = self.write().await?;
        let is_new = insert_token(&mut transaction, token).await?;
        transaction.commit().await?;
        Ok(is_new)
    }

    async fn log_out(&self, refresh: &RefreshToken, access: Option<&RevokedToken>) -> Result<bool, sqlx::Error> {
        let mut transaction = self.write().await?;
        let done = sqlx::query(
            "INSERT INTO refresh_tokens (jti, account_id, expires_at, revoked_at) VALUES (?, ?, ?, ?)
             ON CONFLICT (jti) DO UPDATE SET revoked_at = excluded.revoked_at WHERE revoked_at IS NULL",
        )
        .bind(&refresh.jti)
        .bind(refresh.account.as_i64())
        .bind(refresh.expires_at.as_micros())
        .bind(Timestamp::now().as_micros())
        .execute(&mut *transaction)
        .await?;
        let is_new = done.rows_affected() > 0;
        if let Some(access) = access.filter(|_| is_new) {
            insert_token(&mut transaction, access).await?;
        }
        transaction.commit().await?;
        Ok(is_new)
    }

    async fn insert_tokens(&self, tokens: &RevokedTokens) -> Result<(), sqlx::Error> {
        let mut transaction = self.write().await?;
        let (account, now) = (tokens.account.as_i64(), Timestamp::now().as_micros());
        // A new row, because whoever has seen the old one does not look at it again.
        sqlx::query("DELETE FROM rights_changes WHERE kind = 'tokens' AND account_id = ? AND issued_up_to < ?")
            .bind(account)
            .bind(tokens.issued_up_to_s)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "INSERT INTO rights_changes (kind, account_id, issued_up_to, changed_at, expires_at, announced)
             VALUES ('tokens', ?, ?, ?, ?, TRUE) ON CONFLICT DO NOTHING",
        )
        .bind(account)
        .bind(tokens.issued_up_to_s)
        .bind(now)
        .bind(tokens.expires_at.as_micros())
        .execute(&mut *transaction)
        .await?;
        sqlx::query("UPDATE refresh_tokens SET revoked_at = ? WHERE account_id = ? AND revoked_at IS NULL")
            .bind(now)
            .bind(account)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }

    async fn delete_participant(
        &self,
        conversation: ConversationId,
        account: AccountId,
        expires_at: Timestamp,
    ) -> Result<Removal, sqlx::Error> {
        let mut transaction = self.write().await?;
        let done = sqlx::query("DELETE FROM participants WHERE conversation_id = ? AND account_id = ?")
            .bind(conversation.as_i64())
            .bind(account.as_i64())
            .execute(&mut *transaction)
            .await?;
        if done.rows_affected() == 0 {
            let before: Option<i64> = sqlx::query_scalar(
                "SELECT max(change_id) FROM rights_changes
                 WHERE kind = 'participant' AND conversation_id = ? AND account_id = ?",
            )
            .bind(conversation.as_i64())
            .bind(account.as_i64())
            .fetch_one(&mut *transaction)
            .await?;
            let before = before.map(|change_id| Removal::Before { change_id: change_id.cast_unsigned() });
            return Ok(before.unwrap_or(Removal::NoParticipant));
        }
        let change_id: i64 = sqlx::query_scalar(
            "INSERT INTO rights_changes (kind, account_id, conversation_id, changed_at, expires_at, announced)
             VALUES ('participant', ?, ?, ?, ?, FALSE) RETURNING change_id",
        )
        .bind(account.as_i64())
        .bind(conversation.as_i64())
        .bind(Timestamp::now().as_micros())
        .bind(expires_at.as_micros())
        .fetch_one(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(Removal::Done { change_id: change_id.cast_unsigned() })
    }
}

async fn insert_token(connection: &mut SqliteConnection, token: &RevokedToken) -> Result<bool, sqlx::Error> {
    let now = Timestamp::now().as_micros();
    let done = sqlx::query(
        "INSERT INTO rights_changes (kind, account_id, jti, changed_at, expires_at, announced)
         VALUES ('token', ?, ?, ?, ?, TRUE) ON CONFLICT DO NOTHING",
    )
    .bind(token.account.map(AccountId::as_i64))
    .bind(&token.jti)
    .bind(now)
    .bind(token.expires_at.as_micros())
    .execute(&mut *connection)
    .await?;
    sqlx::query("UPDATE refresh_tokens SET revoked_at = ? WHERE jti = ? AND revoked_at IS NULL")
        .bind(now)
        .bind(&token.jti)
        .execute(connection)
        .await?;
    Ok(done.rows_affected() > 0)
}

fn change(row: &SqliteRow) -> Result<Change, sqlx::Error> {
    let time = |column| row.try_get(column).map(Timestamp::from_micros);
    let ended = match row.try_get("kind")? {
        "token" => Ended::Token(RevokedToken {
            jti: row.try_get("jti")?,
            account: row.try_get::<Option<i64>, _>("account_id")?.and_then(|id| AccountId::try_from(id).ok()),
            expires_at: time("expires_at")?,
        }),
        "tokens" => Ended::Tokens(RevokedTokens {
            account: row::id(row, "account_id")?,
            issued_up_to_s: row.try_get("issued_up_to")?,
            expires_at: time("expires_at")?,
        }),
        _ => {
            Ended::Participant { conversation: row::id(row, "conversation_id")?, account: row::id(row, "account_id")? }
        }
    };
    Ok(Change { id: row.try_get::<i64, _>("change_id")?.cast_unsigned(), ended })
}

fn unannounced(row: &SqliteRow) -> Result<Unannounced, sqlx::Error> {
    let username: Option<String> = row.try_get("username")?;
    Ok(Unannounced {
        change_id: row.try_get::<i64, _>("change_id")?.cast_unsigned(),
        conversation: row::id(row, "conversation_id")?,
        participant: Participant { id: row::id(row, "account_id")?, username: username.unwrap_or_default() },
        removed_at: Timestamp::from_micros(row.try_get("changed_at")?),
    })
}
