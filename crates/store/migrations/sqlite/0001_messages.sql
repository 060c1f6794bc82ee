-- Times are microseconds since the Unix epoch; a *_seq is a position in the log, 0 meaning never.

-- A row without conversation awaits its post: `waiting` holds the events that came before it.
CREATE TABLE messages (
    message_id      INTEGER PRIMARY KEY,
    conversation_id INTEGER,
    sender_id       INTEGER,
    sender_name     TEXT,
    content         TEXT,
    attachment      TEXT,
    timestamp       INTEGER,
    is_read         INTEGER NOT NULL DEFAULT 0,
    read_at         INTEGER,
    is_deleted      INTEGER NOT NULL DEFAULT 0,
    edited_at       INTEGER,
    event_id        BLOB,
    client_id       TEXT,
    edited_seq      INTEGER NOT NULL DEFAULT 0,
    read_seq        INTEGER NOT NULL DEFAULT 0,
    touched_seq     INTEGER NOT NULL,
    waiting         BLOB,
    CHECK ((conversation_id IS NULL) = (waiting IS NOT NULL)),
    CHECK (conversation_id IS NULL OR (sender_id IS NOT NULL AND sender_name IS NOT NULL AND timestamp IS NOT NULL)),
    CHECK (touched_seq >= message_id)
) STRICT;

CREATE INDEX messages_by_time ON messages (conversation_id, timestamp, message_id);
CREATE INDEX messages_by_touch ON messages (conversation_id, touched_seq);
CREATE INDEX messages_by_client_id ON messages (conversation_id, sender_id, client_id) WHERE client_id IS NOT NULL;
CREATE INDEX messages_touched ON messages (touched_seq);

CREATE TABLE read_marks (
    conversation_id INTEGER NOT NULL,
    account_id      INTEGER NOT NULL,
    message_id      INTEGER NOT NULL,
    touched_seq     INTEGER NOT NULL,
    PRIMARY KEY (conversation_id, account_id)
) STRICT, WITHOUT ROWID;

-- Nothing of the conversation below this position is kept.
CREATE TABLE erasures (
    conversation_id INTEGER PRIMARY KEY,
    erased_seq      INTEGER NOT NULL
) STRICT;

-- Records of the log that no row can be made of.
CREATE TABLE quarantine (
    position INTEGER NOT NULL,
    reason   TEXT NOT NULL,
    record   BLOB NOT NULL,
    kept_at  INTEGER NOT NULL,
    PRIMARY KEY (position, reason)
) STRICT;
