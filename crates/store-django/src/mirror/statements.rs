//! The statements of the mirror, in the words of these tables.

use crate::cells::Cells;
use crate::database::Database;
use crate::django::Django;
use crate::layout::Identity;
use crate::mirror::error::MirrorError;
use crate::tables::{Part, quoted};

/// What the mirror asks and does, with the parameters that each takes.
pub(super) struct Statements {
    /// `found`, of a conversation ($1).
    pub(super) conversation: String,
    /// Whoever an account ($2) is as a participant of a conversation ($1): `found`.
    pub(super) participant: String,
    /// A message: id, content, attachment, timestamp, conversation, sender as an account.
    pub(super) post: String,
    /// `conversation_id` and `timestamp` of a message ($1).
    pub(super) posted: String,
    /// A message ($1) of a conversation ($2) and an account ($3) says something else ($4) since $5. What says so later
    /// gives way only if it is of $6.
    pub(super) edit: String,
    /// A message ($1) of a conversation ($2) and an account ($3) is taken back.
    pub(super) delete: String,
    /// A message ($1) of a conversation ($2) was read, at $3; another mark gives way as in `edit`, to $4.
    pub(super) read: String,
    /// `edited_at` and `read_at` of a message ($1).
    pub(super) moments: String,
    /// A conversation ($1) that was made at $2.
    pub(super) open: String,
    /// Somebody ($2, as `participant` finds them) takes part in a conversation ($1).
    pub(super) join: String,
    /// An account ($2) takes part in a conversation ($1) no longer.
    pub(super) leave: String,
    /// A conversation ($1) is gone, in the order in which its rows can be removed.
    pub(super) close: [String; 3],
    /// The tables whose ids go on behind Natter's at the end: name, as SQL has it, and as a text.
    pub(super) sequences: Vec<(String, String)>,
}

impl Statements {
    pub(super) fn new(django: &Django) -> Self {
        let (accounts, profiles) = (django.table(Part::Accounts), django.table(Part::Profiles));
        let (conversations, participants) = (django.table(Part::Conversations), django.table(Part::Participants));
        let messages = django.table(Part::Messages);
        let layout = &django.layout;
        let column = quoted(&layout.participant_column);
        // Of several profiles the one that takes part here, else the oldest.
        let profile = |conversation: &str, account: &str| {
            format!(
                "COALESCE((SELECT min(f.id) FROM {participants} p JOIN {profiles} f ON f.id = p.{column}
                           WHERE p.conversation_id = {conversation} AND f.account_id = {account}),
                     (SELECT min(f.id) FROM {profiles} f WHERE f.account_id = {account}))"
            )
        };
        let identity = |identity: Identity, conversation: &str, account: &str| match identity {
            Identity::Accounts => format!("(SELECT a.id FROM {accounts} a WHERE a.id = {account})"),
            Identity::Profiles => profile(conversation, account),
        };
        let is = |identity: Identity, column: &str, account: &str| match identity {
            Identity::Accounts => format!("{column} = {account}"),
            Identity::Profiles => format!("{column} IN (SELECT id FROM {profiles} WHERE account_id = {account})"),
        };
        let mine = is(layout.senders, "sender_id", "$3");
        Self {
            conversation: format!("SELECT CAST(id AS bigint) AS found FROM {conversations} WHERE id = $1"),
            participant: format!("SELECT CAST({} AS bigint) AS found", identity(layout.participants, "$1", "$2")),
            post: format!(
                "INSERT INTO {messages} (id, content, attachment, timestamp, is_read, read_at, is_deleted, edited_at,
                     conversation_id, sender_id)
                 SELECT $1, $2, $3, $4, FALSE, NULL, FALSE, NULL, c.id, s.id
                 FROM {conversations} c, (SELECT {} AS id) s WHERE c.id = $5 AND s.id IS NOT NULL
                 ON CONFLICT (id) DO NOTHING",
                identity(layout.senders, "$5", "$6")
            ),
            posted: format!(
                "SELECT CAST(conversation_id AS bigint) AS conversation_id, {} AS timestamp FROM {messages} WHERE id = $1",
                django.time_sql("timestamp")
            ),
            edit: format!(
                "UPDATE {messages} SET content = CASE WHEN is_deleted THEN content ELSE $4 END, edited_at = $5
                 WHERE id = $1 AND conversation_id = $2 AND {mine}
                     AND (edited_at IS NULL OR edited_at < $5 OR edited_at = $6)"
            ),
            delete: format!(
                "UPDATE {messages} SET is_deleted = TRUE, content = ''
                 WHERE id = $1 AND conversation_id = $2 AND {mine} AND NOT is_deleted"
            ),
            read: format!(
                "UPDATE {messages} SET is_read = TRUE, read_at = $3 WHERE id = $1 AND conversation_id = $2
                     AND (NOT is_read OR read_at IS NULL OR read_at < $3 OR read_at = $4)"
            ),
            moments: format!(
                "SELECT {} AS edited_at, {} AS read_at FROM {messages} WHERE id = $1",
                django.time_sql("edited_at"),
                django.time_sql("read_at")
            ),
            open: format!("INSERT INTO {conversations} (id, created_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING"),
            join: format!(
                "INSERT INTO {participants} (conversation_id, {column})
                 SELECT $1, $2 WHERE NOT EXISTS
                     (SELECT 1 FROM {participants} WHERE conversation_id = $1 AND {column} = $2)"
            ),
            leave: format!(
                "DELETE FROM {participants} WHERE conversation_id = $1 AND {}",
                is(layout.participants, &column, "$2")
            ),
            close: [
                format!("DELETE FROM {messages} WHERE conversation_id = $1"),
                format!("DELETE FROM {participants} WHERE conversation_id = $1"),
                format!("DELETE FROM {conversations} WHERE id = $1"),
            ],
            sequences: [Part::Messages, Part::Conversations, Part::Participants, Part::Accounts]
                .map(|part| (django.table(part), django.tables.name(part).to_owned()))
                .into(),
        }
    }
}

/// What the mirror fills, column by column.
const WRITTEN: [(Part, &[&str]); 3] = [
    (Part::Conversations, &["id", "created_at"]),
    (Part::Participants, &[]),
    (
        Part::Messages,
        &[
            "id",
            "content",
            "attachment",
            "timestamp",
            "is_read",
            "read_at",
            "is_deleted",
            "edited_at",
            "conversation_id",
            "sender_id",
        ],
    ),
];

const PG_OBLIGATORY: &str = "
    SELECT attname::text AS name FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped
        AND attnotnull AND NOT atthasdef AND attidentity = ''";
const SQLITE_OBLIGATORY: &str = r#"SELECT name FROM pragma_table_info($1) WHERE "notnull" AND dflt_value IS NULL"#;

/// Refuses tables with columns that every row would break.
pub(super) async fn check(django: &Django) -> Result<(), MirrorError> {
    for (part, written) in WRITTEN {
        let table = django.tables.name(part);
        let name = |row: &dyn Cells| row.text("name").ok().flatten().unwrap_or_default();
        let obligatory: Vec<String> = match &django.database {
            Database::Postgres(pool) => {
                let rows = sqlx::query(PG_OBLIGATORY).bind(quoted(table)).fetch_all(pool).await?;
                rows.iter().map(|row| name(row)).collect()
            }
            Database::Sqlite(pool) => {
                let rows = sqlx::query(SQLITE_OBLIGATORY).bind(table).fetch_all(pool).await?;
                rows.iter().map(|row| name(row)).collect()
            }
        };
        let is_filled = |column: &String| match part {
            // Whatever counts rows gives them their ids, in SQLite without saying so.
            Part::Participants if column == "id" => matches!(django.database, Database::Sqlite(_)),
            Part::Participants => column == "conversation_id" || *column == django.layout.participant_column,
            _ => written.contains(&column.as_str()),
        };
        if let Some(column) = obligatory.into_iter().find(|column| !is_filled(column)) {
            return Err(MirrorError::Column { table: table.to_owned(), column });
        }
    }
    Ok(())
}
