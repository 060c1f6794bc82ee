//! Accounts and conversations of another system, into Postgres.

use std::collections::BTreeSet;

use natter_model::timestamp::Timestamp;
use natter_store::accounts::{Account, Conversation, Imported, KnownToken, Refused};
use sqlx::Connection as _;
use sqlx::postgres::{PgConnection, PgRow};

use crate::rights;
use crate::value::{self, PgTime};

/// `false`: something was made below it.
pub(crate) async fn reserve_ids(connection: &mut PgConnection, below: u64) -> Result<bool, sqlx::Error> {
    let last = i64::try_from(below).unwrap_or(i64::MAX) - 1;
    let mut transaction = connection.begin().await?;
    // Nobody takes an id from a sequence while it is moved.
    sqlx::query("LOCK TABLE accounts, conversations IN SHARE ROW EXCLUSIVE MODE").execute(&mut *transaction).await?;
    let is_reserved: bool = sqlx::query_scalar(
        "SELECT a.last_value >= $1 AND c.last_value >= $1
         FROM accounts_account_id_seq a, conversations_conversation_id_seq c",
    )
    .bind(last)
    .fetch_one(&mut *transaction)
    .await?;
    if last < 1 || is_reserved {
        return Ok(true);
    }
    let is_occupied: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM accounts) OR EXISTS (SELECT FROM conversations)")
            .fetch_one(&mut *transaction)
            .await?;
    if !is_occupied {
        sqlx::query("SELECT setval('accounts_account_id_seq', $1), setval('conversations_conversation_id_seq', $1)")
            .bind(last)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
    }
    Ok(!is_occupied)
}

pub(crate) async fn accounts(connection: &mut PgConnection, accounts: &[Account]) -> Result<Imported, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    // Nobody takes an id from the sequence while it is moved, nor a name.
    sqlx::query("LOCK TABLE accounts IN SHARE ROW EXCLUSIVE MODE").execute(&mut *transaction).await?;
    let owned = sqlx::query(
        "SELECT n.id, a.account_id AS owner FROM unnest($1::bigint[], $2::text[]) AS n (id, username)
         JOIN accounts a ON a.username = n.username AND a.account_id <> n.id",
    )
    .bind(accounts.iter().map(|account| account.id.as_i64()).collect::<Vec<_>>())
    .bind(accounts.iter().map(|account| account.username.as_str()).collect::<Vec<_>>())
    .fetch_all(&mut *transaction)
    .await?;
    let refused = refused(&owned, "owner", |owner| format!("its username is that of account {owner}"))?;
    let accounts: Vec<&Account> =
        accounts.iter().filter(|account| !refused.iter().any(|refused| refused.id == account.id.get())).collect();
    let done = sqlx::query(
        "INSERT INTO accounts AS a (account_id, username, email, password_hash, is_active, profile_types)
         SELECT n.id, n.username, n.email, n.password_hash, n.is_active,
             ARRAY (SELECT jsonb_array_elements_text(n.profile_types::jsonb))
         FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::text[])
             AS n (id, username, email, password_hash, is_active, profile_types)
         ON CONFLICT (account_id) DO UPDATE
         SET username = excluded.username, email = excluded.email, password_hash = excluded.password_hash,
             is_active = excluded.is_active, profile_types = excluded.profile_types
         WHERE (a.username, a.email, a.password_hash, a.is_active, a.profile_types)
             <> (excluded.username, excluded.email, excluded.password_hash, excluded.is_active, excluded.profile_types)",
    )
    .bind(accounts.iter().map(|account| account.id.as_i64()).collect::<Vec<_>>())
    .bind(accounts.iter().map(|account| account.username.as_str()).collect::<Vec<_>>())
    .bind(accounts.iter().map(|account| account.email.as_str()).collect::<Vec<_>>())
    .bind(accounts.iter().map(|account| account.password_hash.as_str()).collect::<Vec<_>>())
    .bind(accounts.iter().map(|account| account.is_active).collect::<Vec<_>>())
    .bind(
        accounts
            .iter()
            .map(|account| serde_json::Value::from(account.profile_types.as_slice()).to_string())
            .collect::<Vec<_>>(),
    )
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "SELECT setval('accounts_account_id_seq', highest)
         FROM (SELECT max(account_id) AS highest FROM accounts) a, accounts_account_id_seq WHERE highest >= last_value",
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(Imported { n_changed: done.rows_affected(), refused })
}

pub(crate) async fn conversations(
    connection: &mut PgConnection,
    conversations: &[Conversation],
) -> Result<Imported, sqlx::Error> {
    // Nobody is removed from a conversation meanwhile.
    let mut transaction = rights::begin(connection).await?;
    sqlx::query("LOCK TABLE conversations IN SHARE ROW EXCLUSIVE MODE").execute(&mut *transaction).await?;
    let (rooms, people) = participants(conversations);
    let strangers = sqlx::query(
        "SELECT DISTINCT ON (n.id) n.id, n.account_id AS stranger
         FROM unnest($1::bigint[], $2::bigint[]) AS n (id, account_id)
         WHERE NOT EXISTS (SELECT FROM accounts a WHERE a.account_id = n.account_id) ORDER BY n.id, n.account_id",
    )
    .bind(rooms)
    .bind(people)
    .fetch_all(&mut *transaction)
    .await?;
    let reason = |stranger| format!("account {stranger} takes part, but is not there");
    let refused = refused(&strangers, "stranger", reason)?;
    let is_refused = |conversation: &&Conversation| refused.iter().any(|refused| refused.id == conversation.id.get());
    let fit: Vec<&Conversation> = conversations.iter().filter(|conversation| !is_refused(conversation)).collect();
    let mut changed: BTreeSet<i64> = sqlx::query_scalar(
        "INSERT INTO conversations AS c (conversation_id, created_at)
         SELECT * FROM unnest($1::bigint[], $2::timestamptz[]) ON CONFLICT (conversation_id) DO UPDATE
         SET created_at = excluded.created_at WHERE c.created_at <> excluded.created_at RETURNING conversation_id",
    )
    .bind(fit.iter().map(|conversation| conversation.id.as_i64()).collect::<Vec<_>>())
    .bind(fit.iter().map(|conversation| PgTime(conversation.created_at)).collect::<Vec<_>>())
    .fetch_all(&mut *transaction)
    .await?
    .into_iter()
    .collect();
    let (rooms, people) = participants(fit.iter().copied());
    let joined: Vec<i64> = sqlx::query_scalar(
        "INSERT INTO participants (conversation_id, account_id)
         SELECT DISTINCT n.id, n.account_id FROM unnest($1::bigint[], $2::bigint[]) AS n (id, account_id)
         WHERE NOT EXISTS (SELECT FROM rights_changes r WHERE r.kind = 'participant'
                           AND r.conversation_id = n.id AND r.account_id = n.account_id)
         ON CONFLICT DO NOTHING RETURNING conversation_id",
    )
    .bind(rooms)
    .bind(people)
    .fetch_all(&mut *transaction)
    .await?;
    changed.extend(joined);
    sqlx::query(
        "SELECT setval('conversations_conversation_id_seq', highest)
         FROM (SELECT max(conversation_id) AS highest FROM conversations) c, conversations_conversation_id_seq
         WHERE highest >= last_value",
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(Imported { n_changed: changed.len() as u64, refused })
}

pub(crate) async fn refresh_tokens(
    connection: &mut PgConnection,
    tokens: &[KnownToken],
) -> Result<Imported, sqlx::Error> {
    let now = PgTime(Timestamp::now());
    let done = sqlx::query(
        "INSERT INTO refresh_tokens AS r (jti, account_id, expires_at, revoked_at)
         SELECT DISTINCT ON (n.jti) n.jti, n.account_id, n.expires_at, CASE WHEN n.is_revoked THEN $5 END
         FROM unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::boolean[])
             AS n (jti, account_id, expires_at, is_revoked)
         ORDER BY n.jti, n.is_revoked DESC
         ON CONFLICT (jti) DO UPDATE SET revoked_at = excluded.revoked_at
         WHERE r.revoked_at IS NULL AND excluded.revoked_at IS NOT NULL",
    )
    .bind(tokens.iter().map(|known| known.token.jti.as_str()).collect::<Vec<_>>())
    .bind(tokens.iter().map(|known| known.token.account.as_i64()).collect::<Vec<_>>())
    .bind(tokens.iter().map(|known| PgTime(known.token.expires_at)).collect::<Vec<_>>())
    .bind(tokens.iter().map(|known| known.is_revoked).collect::<Vec<_>>())
    .bind(now)
    .execute(connection)
    .await?;
    Ok(Imported { n_changed: done.rows_affected(), refused: Vec::new() })
}

/// Conversations and accounts, side by side.
fn participants<'a>(conversations: impl IntoIterator<Item = &'a Conversation>) -> (Vec<i64>, Vec<i64>) {
    conversations
        .into_iter()
        .flat_map(|conversation| {
            conversation.participants.iter().map(|who| (conversation.id.as_i64(), who.id.as_i64()))
        })
        .unzip()
}

fn refused(rows: &[PgRow], column: &str, reason: impl Fn(u64) -> String) -> Result<Vec<Refused>, sqlx::Error> {
    let number = |row, column| value::position(row, column).map(|number| number.get());
    rows.iter().map(|row| Ok(Refused { id: number(row, "id")?, reason: reason(number(row, column)?) })).collect()
}
