-- A *_seq is a position in the log, 0 meaning never.

-- A row without conversation awaits its post: `waiting` holds the events that came before it.
CREATE TABLE messages (
    message_id      bigint PRIMARY KEY,
    conversation_id bigint,
    sender_id       bigint,
    sender_name     text,
    content         text,
    attachment      text,
    timestamp       timestamptz,
    is_read         boolean NOT NULL,
    read_at         timestamptz,
    is_deleted      boolean NOT NULL,
    edited_at       timestamptz,
    event_id        uuid,
    client_id       text,
    edited_seq      bigint NOT NULL,
    read_seq        bigint NOT NULL,
    touched_seq     bigint NOT NULL,
    waiting         bytea,
    CHECK ((conversation_id IS NULL) = (waiting IS NOT NULL)),
    CHECK (conversation_id IS NULL OR (sender_id IS NOT NULL AND sender_name IS NOT NULL AND timestamp IS NOT NULL)),
    CHECK (touched_seq >= message_id)
);

CREATE INDEX messages_by_time ON messages (conversation_id, timestamp, message_id);
CREATE INDEX messages_by_touch ON messages (conversation_id, touched_seq);
CREATE INDEX messages_by_client_id ON messages (conversation_id, sender_id, client_id) WHERE client_id IS NOT NULL;
CREATE INDEX messages_touched ON messages (touched_seq);

CREATE TABLE read_marks (
    conversation_id bigint NOT NULL,
    account_id      bigint NOT NULL,
    message_id      bigint NOT NULL,
    touched_seq     bigint NOT NULL,
    PRIMARY KEY (conversation_id, account_id)
);

-- Nothing of the conversation below this position is kept.
CREATE TABLE erasures (
    conversation_id bigint PRIMARY KEY,
    erased_seq      bigint NOT NULL
);

-- Records of the log that no row can be made of.
CREATE TABLE quarantine (
    position bigint NOT NULL,
    reason   text NOT NULL,
    record   bytea NOT NULL,
    kept_at  timestamptz NOT NULL DEFAULT now()
);

-- By a digest, because a reason may be longer than an index takes.
CREATE UNIQUE INDEX quarantine_once ON quarantine (position, md5(reason));
