-- What the chat's later migrations make of it: profiles take the place of accounts. For both databases; the tables are
-- made anew because SQLite cannot change a foreign key.

ALTER TABLE accounts_account ADD COLUMN is_verified bool NOT NULL DEFAULT FALSE;
ALTER TABLE accounts_account ADD COLUMN admin_deleted bool NOT NULL DEFAULT FALSE;

DROP TABLE chat_conversation_participants;
CREATE TABLE chat_conversation_participants (
    id bigint NOT NULL PRIMARY KEY,
    conversation_id bigint NOT NULL REFERENCES chat_conversation (id) DEFERRABLE INITIALLY DEFERRED,
    profile_id bigint NOT NULL REFERENCES profiles_profile (id) DEFERRABLE INITIALLY DEFERRED,
    UNIQUE (conversation_id, profile_id)
);

DROP TABLE chat_message;
CREATE TABLE chat_message (
    id bigint NOT NULL PRIMARY KEY,
    content text NULL,
    attachment varchar(100) NULL,
    timestamp timestamp with time zone NOT NULL,
    is_read boolean NOT NULL,
    read_at timestamp with time zone NULL,
    is_deleted boolean NOT NULL,
    edited_at timestamp with time zone NULL,
    conversation_id bigint NOT NULL REFERENCES chat_conversation (id) DEFERRABLE INITIALLY DEFERRED,
    sender_id bigint NOT NULL REFERENCES profiles_profile (id) DEFERRABLE INITIALLY DEFERRED
);
