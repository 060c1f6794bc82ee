-- Messages whose id another system gave them, and which stand elsewhere in the log than the id says. NULL: the message
-- stands where its id says.
ALTER TABLE messages ADD COLUMN posted_seq bigint;
-- Brought in from another system, as read or not. NULL: it was not.
ALTER TABLE messages ADD COLUMN imported_as_read boolean;

UPDATE messages SET imported_as_read = is_read WHERE event_id IS NULL AND conversation_id IS NOT NULL;

DROP INDEX messages_by_id;
CREATE INDEX messages_by_post ON messages (conversation_id, (coalesce(posted_seq, message_id)));
CREATE INDEX messages_given ON messages (message_id) WHERE imported_as_read IS NOT NULL OR posted_seq IS NOT NULL;
CREATE INDEX messages_posted_elsewhere ON messages (posted_seq) WHERE posted_seq IS NOT NULL;

-- How far readers have come among the messages with given ids: of those and of ours, the ids do not say which came first.
CREATE TABLE given_read_marks (
    conversation_id bigint NOT NULL,
    account_id      bigint NOT NULL,
    message_id      bigint NOT NULL,
    touched_seq     bigint NOT NULL,
    username        text NOT NULL,
    read_at         timestamptz NOT NULL,
    PRIMARY KEY (conversation_id, account_id)
);

CREATE INDEX given_read_marks_by_touch ON given_read_marks (conversation_id, touched_seq);
