//! Rights that ended, on Postgres.

use async_trait::async_trait;
use natter_model::id::{AccountId, ConversationId};
use natter_model::timestamp::Timestamp;
use natter_store::accounts::{Account, Participant, RefreshToken};
use natter_store::error::StoreError;
use natter_store::rights::{Change, Ended, Removal, RevokedToken, RevokedTokens, RightsStore, Unannounced};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection as _, Postgres, Row as _, Transaction};

use crate::accounts::{self, PgAccounts, can_be_stored};
use crate::database::decoded;
use crate::value::{self, PgTime};

#[async_trait]
impl RightsStore for PgAccounts {
    async fn revoke_token(&self, token: &RevokedToken) -> Result<bool, StoreError> {
        let work = async |connection: &mut PgConnection| {
            let mut transaction = begin(connection).await?;
            let is_new = insert_token(&mut transaction, token).await?;
            transaction.commit().await?;
            Ok(is_new)
        };
        self.database.lend(work).await
    }

    async fn revoke_refresh_token(
        &self,
        refresh: &RefreshToken,
        access: Option<&RevokedToken>,
    ) -> Result<bool, StoreError> {
        self.database.lend(async |connection| log_out(connection, refresh, access).await).await
    }

    async fn revoke_tokens_of(&self, tokens: &RevokedTokens) -> Result<(), StoreError> {
        self.database.lend(async |connection| insert_tokens(connection, tokens).await).await
    }

    async fn remove_participant(
        &self,
        conversation: ConversationId,
        account: AccountId,
        expires_at: Timestamp,
    ) -> Result<Removal, StoreError> {
        self.database
            .lend(async |connection| delete_participant(connection, conversation, account, expires_at).await)
            .await
    }

    async fn is_token_revoked(&self, jti: &str, account: AccountId, issued_at_s: i64) -> Result<bool, StoreError> {
        let query = sqlx::query(
            "SELECT EXISTS (SELECT FROM rights_changes WHERE kind = 'token' AND jti = $1)
             OR EXISTS (SELECT FROM rights_changes WHERE kind = 'tokens' AND account_id = $2 AND issued_up_to >= $3)
             AS is_revoked",
        )
        .bind(storable(jti))
        .bind(account.as_i64())
        .bind(issued_at_s);
        let row = self.database.row(query).await?;
        decoded(row.map_or(Ok(false), |row| row.try_get("is_revoked")))
    }

    async fn bearer(
        &self,
        account: AccountId,
        jti: &str,
        issued_at_s: i64,
    ) -> Result<Option<(Account, bool)>, StoreError> {
        let query = sqlx::query(
            "SELECT a.*, EXISTS (SELECT FROM rights_changes r WHERE r.kind = 'token' AND r.jti = $2)
             OR EXISTS (SELECT FROM rights_changes r WHERE r.kind = 'tokens' AND r.account_id = $1
                        AND r.issued_up_to >= $3) AS is_revoked
             FROM accounts a WHERE a.account_id = $1",
        )
        .bind(account.as_i64())
        .bind(storable(jti))
        .bind(issued_at_s);
        let row = self.database.row(query).await?;
        decoded(row.map(|row| Ok((accounts::account(&row)?, row.try_get("is_revoked")?))).transpose())
    }

    async fn revoked_up_to(&self, account: AccountId) -> Result<Option<i64>, StoreError> {
        let query = sqlx::query("SELECT issued_up_to FROM rights_changes WHERE kind = 'tokens' AND account_id = $1");
        let row = self.database.row(query.bind(account.as_i64())).await?;
        decoded(row.map(|row| row.try_get("issued_up_to")).transpose())
    }

    async fn changes(&self, after: u64, limit: u32) -> Result<Vec<Change>, StoreError> {
        let query = sqlx::query(
            "SELECT * FROM rights_changes WHERE change_id > $1 AND expires_at > $2 ORDER BY change_id LIMIT $3",
        )
        .bind(after.cast_signed())
        .bind(PgTime(Timestamp::now()))
        .bind(i64::from(limit));
        let rows = self.database.rows(query).await?;
        decoded(rows.iter().map(change).collect())
    }

    async fn last_change(&self) -> Result<u64, StoreError> {
        let row = self.database.row(sqlx::query("SELECT max(change_id) AS last FROM rights_changes")).await?;
        let last: Option<i64> = decoded(row.map_or(Ok(None), |row| row.try_get("last")))?;
        Ok(last.unwrap_or_default().cast_unsigned())
    }

    async fn unannounced(&self, limit: u32) -> Result<Vec<Unannounced>, StoreError> {
        let query = sqlx::query(
            "SELECT r.*, a.username FROM rights_changes r LEFT JOIN accounts a USING (account_id)
             WHERE NOT announced ORDER BY change_id LIMIT $1",
        )
        .bind(i64::from(limit));
        let rows = self.database.rows(query).await?;
        decoded(rows.iter().map(unannounced).collect())
    }

    async fn mark_announced(&self, change_id: u64) -> Result<(), StoreError> {
        let query = sqlx::query("UPDATE rights_changes SET announced = TRUE WHERE change_id = $1 AND NOT announced");
        self.database.execute(query.bind(change_id.cast_signed())).await.map(drop)
    }

    async fn is_announced(&self, change_id: u64) -> Result<bool, StoreError> {
        let query = sqlx::query("SELECT FROM rights_changes WHERE change_id = $1 AND NOT announced");
        Ok(self.database.row(query.bind(change_id.cast_signed())).await?.is_none())
    }

    async fn forget_expired(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut n_forgotten = 0;
        for statement in [
            "DELETE FROM rights_changes WHERE expires_at <= $1 AND announced",
            "DELETE FROM refresh_tokens WHERE expires_at <= $1",
        ] {
            n_forgotten += self.database.execute(sqlx::query(statement).bind(PgTime(now))).await?;
        }
        Ok(n_forgotten)
    }
}

/// A jti that cannot be stored was never revoked, nor was the empty one.
fn storable(jti: &str) -> &str {
    if can_be_stored(jti) { jti } else { "" }
}

/// A transaction that no other writer of changes is in: otherwise a change could appear behind one with a higher id.
pub(crate) async fn begin(connection: &mut PgConnection) -> Result<Transaction<'_, Postgres>, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('natter rights', 0))")
        .execute(&mut *transaction)
        .await?;
    Ok(transaction)
}

async fn insert_token(connection: &mut PgConnection, token: &RevokedToken) -> Result<bool, sqlx::Error> {
    let now = PgTime(Timestamp::now());
    let done = sqlx::query(
        "INSERT INTO rights_changes (kind, account_id, jti, changed_at, expires_at, announced)
         VALUES ('token', $1, $2, $3, $4, TRUE) ON CONFLICT DO NOTHING",
    )
    .bind(token.account.map(AccountId::as_i64))
    .bind(&token.jti)
    .bind(now)
    .bind(PgTime(token.expires_at))
    .execute(&mut *connection)
    .await?;
    sqlx::query("UPDATE refresh_tokens SET revoked_at = $1 WHERE jti = $2 AND revoked_at IS NULL")
        .bind(now)
        .bind(&token.jti)
        .execute(connection)
        .await?;
    Ok(done.rows_affected() > 0)
}

async fn log_out(
    connection: &mut PgConnection,
    refresh: &RefreshToken,
    access: Option<&RevokedToken>,
) -> Result<bool, sqlx::Error> {
    let mut transaction = begin(connection).await?;
    let done = sqlx::query(
        "INSERT INTO refresh_tokens AS r (jti, account_id, expires_at, revoked_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (jti) DO UPDATE SET revoked_at = excluded.revoked_at WHERE r.revoked_at IS NULL",
    )
    .bind(&refresh.jti)
    .bind(refresh.account.as_i64())
    .bind(PgTime(refresh.expires_at))
    .bind(PgTime(Timestamp::now()))
    .execute(&mut *transaction)
    .await?;
    let is_new = done.rows_affected() > 0;
    if let Some(access) = access.filter(|_| is_new) {
        insert_token(&mut transaction, access).await?;
    }
    transaction.commit().await?;
    Ok(is_new)
}

async fn insert_tokens(connection: &mut PgConnection, tokens: &RevokedTokens) -> Result<(), sqlx::Error> {
    let mut transaction = begin(connection).await?;
    let (account, now) = (tokens.account.as_i64(), PgTime(Timestamp::now()));
    // A new row, because whoever has seen the old one does not look at it again.
    sqlx::query("DELETE FROM rights_changes WHERE kind = 'tokens' AND account_id = $1 AND issued_up_to < $2")
        .bind(account)
        .bind(tokens.issued_up_to_s)
        .execute(&mut *transaction)
        .await?;
    sqlx::query(
        "INSERT INTO rights_changes (kind, account_id, issued_up_to, changed_at, expires_at, announced)
         VALUES ('tokens', $1, $2, $3, $4, TRUE) ON CONFLICT DO NOTHING",
    )
    .bind(account)
    .bind(tokens.issued_up_to_s)
    .bind(now)
    .bind(PgTime(tokens.expires_at))
    .execute(&mut *transaction)
    .await?;
    sqlx::query("UPDATE refresh_tokens SET revoked_at = $1 WHERE account_id = $2 AND revoked_at IS NULL")
        .bind(now)
        .bind(account)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

async fn delete_participant(
    connection: &mut PgConnection,
    conversation: ConversationId,
    account: AccountId,
    expires_at: Timestamp,
) -> Result<Removal, sqlx::Error> {
    let mut transaction = begin(connection).await?;
    let done = sqlx::query("DELETE FROM participants WHERE conversation_id = $1 AND account_id = $2")
        .bind(conversation.as_i64())
        .bind(account.as_i64())
        .execute(&mut *transaction)
        .await?;
    if done.rows_affected() == 0 {
        let before: Option<i64> = sqlx::query_scalar(
            "SELECT max(change_id) FROM rights_changes
             WHERE kind = 'participant' AND conversation_id = $1 AND account_id = $2",
        )
        .bind(conversation.as_i64())
        .bind(account.as_i64())
        .fetch_one(&mut *transaction)
        .await?;
        transaction.commit().await?;
        let before = before.map(|change_id| Removal::Before { change_id: change_id.cast_unsigned() });
        return Ok(before.unwrap_or(Removal::NoParticipant));
    }
    let change_id: i64 = sqlx::query_scalar(
        "INSERT INTO rights_changes (kind, account_id, conversation_id, changed_at, expires_at, announced)
         VALUES ('participant', $1, $2, $3, $4, FALSE) RETURNING change_id",
    )
    .bind(account.as_i64())
    .bind(conversation.as_i64())
    .bind(PgTime(Timestamp::now()))
    .bind(PgTime(expires_at))
    .fetch_one(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(Removal::Done { change_id: change_id.cast_unsigned() })
}

fn change(row: &PgRow) -> Result<Change, sqlx::Error> {
    let ended = match row.try_get("kind")? {
        "token" => Ended::Token(RevokedToken {
            jti: row.try_get("jti")?,
            account: row.try_get::<Option<i64>, _>("account_id")?.and_then(|id| AccountId::try_from(id).ok()),
            expires_at: value::time(row, "expires_at")?,
        }),
        "tokens" => Ended::Tokens(RevokedTokens {
            account: value::id(row, "account_id")?,
            issued_up_to_s: row.try_get("issued_up_to")?,
            expires_at: value::time(row, "expires_at")?,
        }),
        _ => Ended::Participant {
            conversation: value::id(row, "conversation_id")?,
            account: value::id(row, "account_id")?,
        },
    };
    Ok(Change { id: row.try_get::<i64, _>("change_id")?.cast_unsigned(), ended })
}

fn unannounced(row: &PgRow) -> Result<Unannounced, sqlx::Error> {
    let username: Option<String> = row.try_get("username")?;
    Ok(Unannounced {
        change_id: row.try_get::<i64, _>("change_id")?.cast_unsigned(),
        conversation: value::id(row, "conversation_id")?,
        participant: Participant { id: value::id(row, "account_id")?, username: username.unwrap_or_default() },
        removed_at: value::time(row, "changed_at")?,
    })
}
