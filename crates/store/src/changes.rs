//! What happened in a conversation behind a position, without what was superseded: the query that both databases
//! understand, and what its rows mean.

use natter_model::event::{Actor, Body, Entry, Event, Origin};
use natter_model::id::{ConversationId, EventId, MessageId, Position};
use natter_model::timestamp::Timestamp;

/// The changes of conversation `$1` behind position `$2`, up to position `$3`, at most `$4` of them, in order.
///
/// Each kind is one scan of an index in the order of its positions, and ends after `$4` rows.
pub const QUERY: &str = "
SELECT * FROM (
    SELECT coalesce(posted_seq, message_id) AS position, 1 AS kind, message_id, sender_id AS account_id,
        sender_name AS username, timestamp AS happened_at, content, attachment, client_id, event_id
    FROM messages WHERE conversation_id = $1 AND coalesce(posted_seq, message_id) > $2
    AND coalesce(posted_seq, message_id) <= $3 AND NOT is_resend
    -- Imported as deleted, or deleted before it was posted: nobody has ever seen it.
    AND NOT (is_deleted AND deleted_seq < coalesce(posted_seq, message_id))
    ORDER BY coalesce(posted_seq, message_id) LIMIT $4) AS posted
UNION ALL SELECT * FROM (
    SELECT edited_seq, 2, message_id, sender_id, sender_name, edited_at, content, NULL, NULL, CAST(NULL AS uuid)
    FROM messages WHERE conversation_id = $1 AND edited_seq > 0 AND edited_seq > $2 AND edited_seq <= $3
    -- Of one that came before its post, the post tells.
    AND edited_seq > coalesce(posted_seq, message_id) AND NOT is_resend AND NOT is_deleted
    ORDER BY edited_seq LIMIT $4) AS edited
UNION ALL SELECT * FROM (
    SELECT deleted_seq, 3, message_id, sender_id, sender_name, deleted_at, NULL, NULL, NULL, CAST(NULL AS uuid)
    FROM messages WHERE conversation_id = $1 AND deleted_seq > 0 AND deleted_seq > $2 AND deleted_seq <= $3
    AND deleted_seq > coalesce(posted_seq, message_id) AND NOT is_resend
    ORDER BY deleted_seq LIMIT $4) AS deleted
UNION ALL SELECT * FROM (
    SELECT touched_seq, 4, message_id, account_id, username, read_at, NULL, NULL, NULL, CAST(NULL AS uuid)
    FROM read_marks WHERE conversation_id = $1 AND touched_seq > $2 AND touched_seq <= $3
    ORDER BY touched_seq LIMIT $4) AS marked
UNION ALL SELECT * FROM (
    SELECT touched_seq, 4, message_id, account_id, username, read_at, NULL, NULL, NULL, CAST(NULL AS uuid)
    FROM given_read_marks WHERE conversation_id = $1 AND touched_seq > $2 AND touched_seq <= $3
    ORDER BY touched_seq LIMIT $4) AS marked_among_given
UNION ALL SELECT * FROM (
    SELECT erased_seq, 5, erased_seq, account_id, username, erased_at, NULL, NULL, NULL, CAST(NULL AS uuid)
    FROM erasures WHERE conversation_id = $1 AND erased_seq > $2 AND erased_seq <= $3) AS erased
ORDER BY position LIMIT $4";

/// The highest id that another system gave to a message.
pub const HIGHEST_GIVEN: &str = "
SELECT message_id FROM messages WHERE imported_as_read IS NOT NULL OR posted_seq IS NOT NULL
ORDER BY message_id DESC LIMIT 1";

/// A row of the answer.
#[derive(Debug)]
pub struct Change {
    /// Where the entry stands.
    pub position: Position,
    /// What it is: the number in [`QUERY`].
    pub kind: i32,
    /// The message it is about.
    pub message: MessageId,
    /// Who did it.
    pub actor: Actor,
    /// When they did.
    pub at: Timestamp,
    /// What the message says now.
    pub content: Option<String>,
    /// What is attached to it.
    pub attachment: Option<String>,
    /// The sender's own name for it.
    pub client_id: Option<String>,
    /// The event that posted it.
    pub event: Option<EventId>,
}

impl Change {
    /// The entry that tells it. Only posts have their event's id and its origin; no entry has its `previous`.
    pub fn into_entry(self, conversation: ConversationId) -> Entry {
        let Self { position, message, content, attachment, client_id, .. } = self;
        let content = content.unwrap_or_default();
        let given = (self.kind == 1 && position != message.into()).then_some(message);
        let origin = if given.is_some() { Origin::Channels } else { Origin::Natter };
        let body = match self.kind {
            1 => Body::Posted { message: given, content, attachment, client_id },
            2 => Body::Edited { message, content },
            3 => Body::Deleted { message },
            4 => Body::Read { message },
            _ => Body::ConversationDeleted,
        };
        let id = self.event.unwrap_or(EventId::NIL);
        let event = Event { id, conversation, actor: self.actor, at: self.at, origin, body };
        Entry { position, previous: Position::START, event }
    }
}
