//! What becomes of a row when another system's message is brought in, once or again and again.
//!
//! An import decides what the log has not decided, and the log's events go on to count whether they came before it or
//! after it:
//!
//! - A message that the log posted under an id of its own is the log's alone.
//! - Of a message that the log posted with the other system's id, or only spoke of, the import decides all that no edit,
//!   delete or read mark in the log does. Of several imports the last one counts.
//! - Deleted is deleted, whoever said so first: no later import brings a message back.

use crate::fold::{Effect, Posted, Row, State};
use crate::messages::Message;

/// Somebody else's message has this id.
pub(crate) const TAKEN: &str = "another message has its id";

impl Row {
    /// Takes over a message of another system, which has this row's id.
    pub fn import(&mut self, message: &Message) -> Result<Effect, &'static str> {
        match &mut self.state {
            State::Awaited(_) => {
                let posted = Posted::at(self.id.into(), message.clone());
                Ok(self.fill(Posted { imported_as_read: Some(message.is_read), ..posted }))
            }
            State::Posted(posted) => posted.import(message),
        }
    }
}

impl Posted {
    fn import(&mut self, message: &Message) -> Result<Effect, &'static str> {
        let stored = &self.message;
        if (stored.conversation, stored.sender) != (message.conversation, message.sender) {
            return Err(TAKEN);
        }
        if !self.has_given_id() {
            return Ok(Effect::default());
        }
        let mut next = message.clone();
        let [is_edited, is_read, is_deleted] =
            [self.edited_seq, self.read_seq, self.deleted_seq].map(|decided| decided > Default::default());
        if is_deleted || (stored.is_deleted && !message.is_deleted) {
            next.is_deleted = true;
            next.content.clone_from(&stored.content);
            next.attachment.clone_from(&stored.attachment);
        } else if is_edited && !message.is_deleted {
            next.content.clone_from(&stored.content);
        }
        if is_edited {
            next.edited_at = stored.edited_at;
        }
        if is_read {
            (next.is_read, next.read_at) = (true, stored.read_at);
        }
        let imported_as_read = Some(message.is_read);
        let changed = (&next, imported_as_read) != (stored, self.imported_as_read);
        (self.message, self.imported_as_read) = (next, imported_as_read);
        Ok(Effect { changed, marks: Vec::new() })
    }
}
