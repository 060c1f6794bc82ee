//! Rows folded from nothing but the log, beside those in the store.

use std::collections::BTreeMap;

use natter_model::event::{Body, Entry};
use natter_model::id::{MessageId, Position};
use natter_store::check::{check, subject};
use natter_store::fold::{Posted, Row, State};

/// The messages whose post was read, as far as the log has been read.
#[derive(Debug, Default)]
pub(super) struct Scratch(BTreeMap<MessageId, Row>);

impl Scratch {
    /// Takes the next entry of the log in.
    pub(super) fn fold(&mut self, entry: &Entry) {
        if check(entry).is_err() {
            return;
        }
        if entry.event.body == Body::ConversationDeleted {
            let conversation = entry.event.conversation;
            self.0.retain(|_, row| posted(row).is_none_or(|posted| posted.message.conversation != conversation));
        }
        let Some(id) = subject(entry) else { return };
        if matches!(entry.event.body, Body::Posted { .. }) {
            self.0.entry(id).or_insert_with(|| Row::new(id));
        }
        if let Some(row) = self.0.get_mut(&id) {
            // What does not fit is told by the dry run.
            let _ = row.apply(entry);
        }
    }

    /// The messages that are kept.
    pub(super) fn ids(&self) -> Vec<MessageId> {
        self.0.keys().copied().collect()
    }

    pub(super) fn get(&self, id: MessageId) -> Option<&Posted> {
        self.0.get(&id).and_then(posted)
    }

    /// It has been compared, or cannot be.
    pub(super) fn forget(&mut self, id: MessageId) {
        self.0.remove(&id);
    }
}

pub(super) fn posted(row: &Row) -> Option<&Posted> {
    match &row.state {
        State::Posted(posted) => Some(posted),
        State::Awaited(_) => None,
    }
}

/// The positions that decided parts of the row, other than its post.
pub(super) fn deciders(posted: &Posted) -> impl Iterator<Item = Position> {
    [posted.edited_seq, posted.read_seq, posted.deleted_seq, posted.touched_seq].into_iter()
}

/// What differs, by the names of the columns. What an import has brought into the row, the log does not say.
pub(super) fn differing(stored: &Posted, folded: &Posted) -> Vec<&'static str> {
    let (a, b) = (&stored.message, &folded.message);
    let is_imported = stored.imported_as_read.is_some();
    let decided = |position: Position| !is_imported || position > Position::START;
    let is_kept = |name: &str| match name {
        "sender_name" | "timestamp" => !is_imported,
        "content" => decided(stored.deleted_seq) || (decided(stored.edited_seq) && !a.is_deleted),
        "attachment" | "is_deleted" => decided(stored.deleted_seq),
        "is_read" | "read_at" => decided(stored.read_seq),
        "edited_at" => decided(stored.edited_seq),
        _ => true,
    };
    let fields = [
        ("conversation_id", a.conversation == b.conversation),
        ("sender_id", a.sender == b.sender),
        ("sender_name", a.sender_name == b.sender_name),
        ("content", a.content == b.content),
        ("attachment", a.attachment == b.attachment),
        ("timestamp", a.timestamp == b.timestamp),
        ("is_read", a.is_read == b.is_read),
        ("read_at", a.read_at == b.read_at),
        ("is_deleted", a.is_deleted == b.is_deleted),
        ("edited_at", a.edited_at == b.edited_at),
        ("event_id", stored.event == folded.event),
        ("posted_seq", stored.posted_seq == folded.posted_seq),
        ("client_id", stored.client_id == folded.client_id),
        ("edited_seq", stored.edited_seq == folded.edited_seq),
        ("read_seq", stored.read_seq == folded.read_seq),
        ("deleted_seq", stored.deleted_seq == folded.deleted_seq),
        ("deleted_at", stored.deleted_at == folded.deleted_at),
        ("touched_seq", stored.touched_seq == folded.touched_seq),
    ];
    fields.into_iter().filter(|(name, is_same)| !is_same && is_kept(name)).map(|(name, _)| name).collect()
}
