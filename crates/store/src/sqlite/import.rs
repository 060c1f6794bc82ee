//! Accounts and conversations of another system, into SQLite.

use natter_model::id::AccountId;
use natter_model::timestamp::Timestamp;
use sqlx::SqliteConnection;

use super::SqliteStore;
use super::accounts::encode_list;
use crate::accounts::{Account, Conversation, Imported, KnownToken, Refused};

/// Whose ids count on.
const TABLES: [&str; 2] = ["accounts", "conversations"];

impl SqliteStore {
    /// `false`: something was made below it.
    pub(super) async fn move_sequences(&self, below: u64) -> Result<bool, sqlx::Error> {
        let last = i64::try_from(below).unwrap_or(i64::MAX) - 1;
        let mut transaction = self.write().await?;
        let n_reserved: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM sqlite_sequence WHERE name IN ('accounts', 'conversations') AND seq >= ?",
        )
        .bind(last)
        .fetch_one(&mut *transaction)
        .await?;
        if last < 1 || n_reserved == 2 {
            return Ok(true);
        }
        let is_occupied: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM accounts) OR EXISTS (SELECT 1 FROM conversations)")
                .fetch_one(&mut *transaction)
                .await?;
        if is_occupied {
            return Ok(false);
        }
        for table in TABLES {
            sqlx::query("DELETE FROM sqlite_sequence WHERE name = ?").bind(table).execute(&mut *transaction).await?;
            sqlx::query("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)")
                .bind(table)
                .bind(last)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    pub(super) async fn take_accounts(&self, accounts: &[Account]) -> Result<Imported, sqlx::Error> {
        let mut transaction = self.write().await?;
        let mut imported = Imported::default();
        for account in accounts {
            match owner(&mut transaction, account).await? {
                None => imported.n_changed += upsert_account(&mut transaction, account).await?,
                Some(owner) => {
                    let reason = format!("its username is that of account {owner}");
                    imported.refused.push(Refused { id: account.id.get(), reason });
                }
            }
        }
        transaction.commit().await?;
        Ok(imported)
    }

    pub(super) async fn take_conversations(&self, conversations: &[Conversation]) -> Result<Imported, sqlx::Error> {
        let mut transaction = self.write().await?;
        let mut imported = Imported::default();
        for conversation in conversations {
            match stranger(&mut transaction, conversation).await? {
                None => imported.n_changed += upsert_conversation(&mut transaction, conversation).await?,
                Some(stranger) => {
                    let reason = format!("account {stranger} takes part, but is not there");
                    imported.refused.push(Refused { id: conversation.id.get(), reason });
                }
            }
        }
        transaction.commit().await?;
        Ok(imported)
    }

    pub(super) async fn take_refresh_tokens(&self, tokens: &[KnownToken]) -> Result<Imported, sqlx::Error> {
        let mut transaction = self.write().await?;
        let mut imported = Imported::default();
        let now = Timestamp::now().as_micros();
        for KnownToken { token, is_revoked } in tokens {
            let done = sqlx::query(
                "INSERT INTO refresh_tokens (jti, account_id, expires_at, revoked_at) VALUES (?, ?, ?, ?)
                 ON CONFLICT (jti) DO UPDATE SET revoked_at = excluded.revoked_at
                 WHERE revoked_at IS NULL AND excluded.revoked_at IS NOT NULL",
            )
            .bind(&token.jti)
            .bind(token.account.as_i64())
            .bind(token.expires_at.as_micros())
            .bind(is_revoked.then_some(now))
            .execute(&mut *transaction)
            .await?;
            imported.n_changed += done.rows_affected();
        }
        transaction.commit().await?;
        Ok(imported)
    }
}

/// Who else has the account's username.
async fn owner(connection: &mut SqliteConnection, account: &Account) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar("SELECT account_id FROM accounts WHERE username = ? AND account_id <> ?")
        .bind(&account.username)
        .bind(account.id.as_i64())
        .fetch_optional(connection)
        .await
}

/// Somebody who takes part, but has no account.
async fn stranger(connection: &mut SqliteConnection, conversation: &Conversation) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar("SELECT value FROM json_each(?) WHERE value NOT IN (SELECT account_id FROM accounts) LIMIT 1")
        .bind(participants_json(conversation))
        .fetch_optional(connection)
        .await
}

async fn upsert_account(connection: &mut SqliteConnection, account: &Account) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO accounts (account_id, username, email, password_hash, is_active, profile_types)
         VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (account_id) DO UPDATE
         SET username = excluded.username, email = excluded.email, password_hash = excluded.password_hash,
             is_active = excluded.is_active, profile_types = excluded.profile_types
         WHERE username <> excluded.username OR email <> excluded.email COLLATE BINARY
             OR password_hash <> excluded.password_hash OR is_active <> excluded.is_active
             OR profile_types <> excluded.profile_types",
    )
    .bind(account.id.as_i64())
    .bind(&account.username)
    .bind(&account.email)
    .bind(&account.password_hash)
    .bind(account.is_active)
    .bind(encode_list(&account.profile_types))
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

async fn upsert_conversation(
    connection: &mut SqliteConnection,
    conversation: &Conversation,
) -> Result<u64, sqlx::Error> {
    let id = conversation.id.as_i64();
    let done = sqlx::query(
        "INSERT INTO conversations (conversation_id, created_at) VALUES (?, ?) ON CONFLICT (conversation_id) DO UPDATE
         SET created_at = excluded.created_at WHERE created_at <> excluded.created_at",
    )
    .bind(id)
    .bind(conversation.created_at.as_micros())
    .execute(&mut *connection)
    .await?;
    let added = sqlx::query(
        "INSERT INTO participants (conversation_id, account_id) SELECT ?1, value FROM json_each(?2)
         WHERE NOT EXISTS (SELECT 1 FROM rights_changes
                           WHERE kind = 'participant' AND conversation_id = ?1 AND account_id = value)
         ON CONFLICT DO NOTHING",
    )
    .bind(id)
    .bind(participants_json(conversation))
    .execute(connection)
    .await?;
    Ok(u64::from(done.rows_affected() + added.rows_affected() > 0))
}

fn participants_json(conversation: &Conversation) -> String {
    let ids = conversation.participants.iter().map(|participant| participant.id);
    serde_json::Value::from_iter(ids.map(AccountId::get)).to_string()
}
