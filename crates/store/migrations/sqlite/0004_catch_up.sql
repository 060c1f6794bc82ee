-- What a reader is told who comes back: where and when messages were deleted, who marked them as read and when, who ended
-- a conversation. And messages that their sender had sent before: those are in the table, but told nowhere.

ALTER TABLE messages ADD COLUMN deleted_seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN deleted_at INTEGER;
ALTER TABLE messages ADD COLUMN is_resend INTEGER NOT NULL DEFAULT 0;

-- Where earlier deletes stand was not noted, but not behind this. Messages imported as deleted were not in the log.
UPDATE messages SET deleted_seq = touched_seq, deleted_at = timestamp WHERE is_deleted AND touched_seq > message_id;
UPDATE messages SET is_resend = 1 WHERE client_id IS NOT NULL AND EXISTS (
    SELECT 1 FROM messages first WHERE first.conversation_id = messages.conversation_id
    AND first.sender_id = messages.sender_id AND first.client_id = messages.client_id
    AND first.message_id < messages.message_id);

ALTER TABLE read_marks ADD COLUMN username TEXT NOT NULL DEFAULT '';
ALTER TABLE read_marks ADD COLUMN read_at INTEGER NOT NULL DEFAULT 0;

UPDATE read_marks SET
    username = coalesce((SELECT sender_name FROM messages m WHERE m.sender_id = read_marks.account_id
                         AND m.conversation_id = read_marks.conversation_id LIMIT 1), ''),
    read_at = coalesce((SELECT read_at FROM messages m WHERE m.message_id = read_marks.message_id), 0);

-- Who ended earlier conversations was not noted; nobody is shown it. The first account stands in.
ALTER TABLE erasures ADD COLUMN account_id INTEGER NOT NULL DEFAULT 1;
ALTER TABLE erasures ADD COLUMN username TEXT NOT NULL DEFAULT '';
ALTER TABLE erasures ADD COLUMN erased_at INTEGER NOT NULL DEFAULT 0;

DROP INDEX messages_by_touch;
CREATE INDEX messages_by_id ON messages (conversation_id, message_id);
CREATE INDEX messages_by_edit ON messages (conversation_id, edited_seq) WHERE edited_seq > 0;
CREATE INDEX messages_by_delete ON messages (conversation_id, deleted_seq) WHERE deleted_seq > 0;
CREATE INDEX read_marks_by_touch ON read_marks (conversation_id, touched_seq);

DROP INDEX messages_by_client_id;
CREATE UNIQUE INDEX messages_by_client_id ON messages (conversation_id, sender_id, client_id)
    WHERE client_id IS NOT NULL AND is_resend = 0;
CREATE INDEX messages_resent ON messages (conversation_id, sender_id, client_id) WHERE is_resend = 1;
