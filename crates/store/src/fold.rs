//! The fold: what becomes of one message's row, entry by entry, in whatever order and however often they come.
//!
//! Each part of a row is decided by the entry with the highest position that concerns it, and an entry that comes
//! before the message it speaks of waits in the row. So the row depends on which entries came, not on when.
//!
//! - The first post of a message wins for ever. If its event stands in the log several times, the lowest position is the
//!   post's. A post that another system gave its id may meet the message as it was imported: then it only says where the
//!   message stands (see `import`).
//! - An edit counts if the sender made it; the one with the highest position decides content and `edited_at`.
//! - A delete counts if the sender made it. It empties the message for ever; a later edit only moves `edited_at`. The
//!   one with the highest position decides where and when the message was deleted.
//! - A read counts whoever made it; the one with the highest position decides `read_at`.
//! - Entries of another conversation than the message's change nothing.
//! - What is common to several rows, that a message was sent again, is settled per batch (see `resend`).

use natter_model::event::{Body, Entry, Event};
use natter_model::id::{AccountId, ConversationId, EventId, MessageId, Position};
use natter_model::text;
use natter_model::timestamp::Timestamp;

use crate::messages::{Message, Misfit};
use crate::waiting::Waiting;

/// One message's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The message's id.
    pub id: MessageId,
    /// What is known of it.
    pub state: State,
}

/// What is known of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Its post has not come yet; what else came waits.
    Awaited(Waiting),
    /// It has been posted.
    Posted(Box<Posted>),
}

/// A posted message, with what decides whether a further entry changes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// The message as it stands.
    pub message: Message,
    /// The event that posted it; `None`: it was only imported.
    pub event: Option<EventId>,
    /// Where its post stands; of a message that was only imported, its id.
    pub posted_seq: Position,
    /// It was imported, as read or not; `None`: it was not imported.
    pub imported_as_read: Option<bool>,
    /// The sender's own name for it.
    pub client_id: Option<String>,
    /// The sender had posted it before, under the same name: nobody is shown this one.
    pub is_resend: bool,
    /// Where the edit stands that decided the content; [`Position::START`]: it was never edited.
    pub edited_seq: Position,
    /// Where the read stands that decided `read_at`; [`Position::START`]: none in the log.
    pub read_seq: Position,
    /// Where its delete stands; [`Position::START`]: it was not deleted in the log.
    pub deleted_seq: Position,
    /// When it was deleted; `None`: it was not in the log.
    pub deleted_at: Option<Timestamp>,
    /// Where the last entry stands that counted. Never below the message's id.
    pub touched_seq: Position,
}

/// How far somebody has read a conversation. Of two marks with one key the greater one counts: another system's ids, too,
/// are in the order in which its messages were said. Else the end of a conversation may take with it the mark that had
/// hidden a lower one at a later message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReadMark {
    /// Where.
    pub conversation: ConversationId,
    /// Who.
    pub account: AccountId,
    /// The message's id is another system's. Each reader has a mark among those and one among ours: only of one kind do
    /// the ids say which message came first, and they alone never change.
    pub has_given_id: bool,
    /// The newest message they marked as read.
    pub message: MessageId,
    /// Where the entry stands that said so.
    pub touched_seq: Position,
    /// The reader's username in that entry.
    pub username: String,
    /// When they read it.
    pub read_at: Timestamp,
}

/// Whose mark, and among which messages.
pub type MarkKey = (ConversationId, AccountId, bool);

impl ReadMark {
    /// What two marks have in common of which only one counts.
    pub fn key(&self) -> MarkKey {
        (self.conversation, self.account, self.has_given_id)
    }
}

/// What an entry did to a row.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// The row has to be saved.
    pub changed: bool,
    /// Read marks that may have moved.
    pub marks: Vec<ReadMark>,
}

impl Row {
    /// The row of a message of which nothing is known.
    pub fn new(id: MessageId) -> Self {
        Self { id, state: State::Awaited(Waiting::default()) }
    }

    /// The message, if it has been posted.
    pub fn posted(&self) -> Option<&Posted> {
        match &self.state {
            State::Posted(posted) => Some(posted),
            State::Awaited(_) => None,
        }
    }

    /// Applies an entry that [`check`](crate::check::check) let pass and whose [`subject`](crate::check::subject) is this
    /// message.
    pub fn apply(&mut self, entry: &Entry) -> Result<Effect, Misfit> {
        match (&mut self.state, &entry.event.body) {
            (State::Posted(posted), Body::Posted { .. }) => posted.post_again(entry),
            (State::Awaited(_), Body::Posted { content, attachment, client_id, .. }) => {
                let event = &entry.event;
                let message = Message {
                    id: self.id,
                    conversation: event.conversation,
                    sender: event.actor.id,
                    sender_name: event.actor.username.clone(),
                    content: Some(text::strip(content).to_owned()),
                    attachment: attachment.clone(),
                    timestamp: event.at,
                    is_read: false,
                    read_at: None,
                    is_deleted: false,
                    edited_at: None,
                };
                let (event, client_id) = (Some(event.id), client_id.clone());
                Ok(self.fill(Posted { event, client_id, ..Posted::at(entry.position, message) }))
            }
            (State::Posted(posted), _) => Ok(posted.apply(entry.position, &entry.event)),
            (State::Awaited(waiting), _) => {
                Ok(Effect { changed: waiting.insert(entry.position, &entry.event), marks: Vec::new() })
            }
        }
    }

    pub(crate) fn fill(&mut self, mut posted: Posted) -> Effect {
        let mut effect = Effect { changed: true, marks: Vec::new() };
        if let State::Awaited(waiting) = &self.state {
            for (position, event) in waiting.iter() {
                effect.marks.append(&mut posted.apply(position, event).marks);
            }
        }
        self.state = State::Posted(Box::new(posted));
        effect
    }
}

impl Posted {
    /// The message as nothing but its post made it.
    pub(crate) fn at(position: Position, message: Message) -> Self {
        Self {
            message,
            event: None,
            posted_seq: position,
            imported_as_read: None,
            client_id: None,
            is_resend: false,
            edited_seq: Position::START,
            read_seq: Position::START,
            deleted_seq: Position::START,
            deleted_at: None,
            touched_seq: position,
        }
    }

    /// The message's id is another system's: it was imported, or posted with that id.
    pub fn has_given_id(&self) -> bool {
        self.event.is_none() || self.posted_seq != self.message.id.into()
    }

    /// The same post may stand in the log again; and one that was imported may come by way of the log too.
    fn post_again(&mut self, entry: &Entry) -> Result<Effect, Misfit> {
        let (event, position) = (&entry.event, entry.position);
        let is_given = matches!(event.body, Body::Posted { message: Some(_), .. });
        let is_it = (event.conversation, event.actor.id) == (self.message.conversation, self.message.sender);
        match self.event {
            Some(known) if known == event.id && position >= self.posted_seq => return Ok(Effect::default()),
            Some(known) if known == event.id => (),
            None if is_given && is_it => self.event = Some(event.id),
            _ => {
                let what = if is_given { "its message's id" } else { "its position" };
                return Err(Misfit { position, reason: format!("{what} was used before, by another event") });
            }
        }
        self.posted_seq = position;
        let others = [self.edited_seq, self.read_seq, self.deleted_seq];
        self.touched_seq = others.into_iter().fold(position, Position::max);
        Ok(Effect { changed: true, marks: Vec::new() })
    }

    fn apply(&mut self, position: Position, event: &Event) -> Effect {
        let has_given_id = self.has_given_id();
        let message = &mut self.message;
        let by_sender = event.actor.id == message.sender;
        let mut effect = Effect::default();
        if event.conversation != message.conversation {
            return effect;
        }
        match &event.body {
            Body::Edited { content, .. } if by_sender => {
                if position > self.edited_seq {
                    self.edited_seq = position;
                    message.edited_at = Some(event.at);
                    if !message.is_deleted {
                        message.content = Some(text::strip(content).to_owned());
                    }
                    effect.changed = true;
                }
            }
            Body::Deleted { .. } if by_sender => {
                if position > self.deleted_seq {
                    self.deleted_seq = position;
                    self.deleted_at = Some(event.at);
                    message.is_deleted = true;
                    message.content = Some(String::new());
                    message.attachment = None;
                    effect.changed = true;
                }
            }
            Body::Read { .. } => {
                if position > self.read_seq {
                    self.read_seq = position;
                    message.is_read = true;
                    message.read_at = Some(event.at);
                    effect.changed = true;
                }
                effect.marks.push(ReadMark {
                    conversation: message.conversation,
                    account: event.actor.id,
                    has_given_id,
                    message: message.id,
                    touched_seq: position,
                    username: event.actor.username.clone(),
                    read_at: event.at,
                });
            }
            Body::Edited { .. }
            | Body::Deleted { .. }
            | Body::Posted { .. }
            | Body::ConversationDeleted
            | Body::ParticipantRemoved => {
                return effect;
            }
        }
        if position > self.touched_seq {
            self.touched_seq = position;
            effect.changed = true;
        }
        effect
    }
}
