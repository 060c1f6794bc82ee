-- AUTOINCREMENT: an id is never used again, and imported ids are passed over.
CREATE TABLE accounts (
    account_id    INTEGER PRIMARY KEY AUTOINCREMENT,
    username      TEXT NOT NULL UNIQUE,
    email         TEXT NOT NULL COLLATE NOCASE,
    password_hash TEXT NOT NULL,
    is_active     INTEGER NOT NULL,
    -- A JSON array of strings.
    profile_types TEXT NOT NULL
) STRICT;

CREATE INDEX accounts_by_email ON accounts (email);

CREATE TABLE conversations (
    conversation_id INTEGER PRIMARY KEY AUTOINCREMENT,
    created_at      INTEGER NOT NULL
) STRICT;

CREATE TABLE participants (
    conversation_id INTEGER NOT NULL REFERENCES conversations ON DELETE CASCADE,
    account_id      INTEGER NOT NULL REFERENCES accounts,
    PRIMARY KEY (conversation_id, account_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX participants_by_account ON participants (account_id, conversation_id);

-- Those handed out, and those revoked whether handed out by us or not.
CREATE TABLE refresh_tokens (
    jti        TEXT PRIMARY KEY,
    account_id INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX refresh_tokens_by_account ON refresh_tokens (account_id) WHERE revoked_at IS NULL;
