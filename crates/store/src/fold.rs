//! The fold: what becomes of one message's row, entry by entry, in whatever order and however often they come.
//!
//! Each part of a row is decided by the entry with the highest position that concerns it, and an entry that comes
//! before the message it speaks of waits in the row. So the row depends on which entries came, not on when.
//!
//! - The first post of a position wins for ever.
//! - An edit counts if the sender made it; the one with the highest position decides content and `edited_at`.
//! - A delete counts if the sender made it. It empties the message for ever; a later edit only moves `edited_at`. The
//!   one with the highest position decides where and when the message was deleted.
//! - A read counts whoever made it; the one with the highest position decides `read_at`.
//! - Entries of another conversation than the message's change nothing.
//! - What is common to several rows, that a message was sent again, is settled per batch (see `resend`).

use natter_model::event::{Body, Entry, Event};
use natter_model::id::{AccountId, ConversationId, EventId, MAX_ID, MessageId, Position};
use natter_model::text;
use natter_model::timestamp::Timestamp;

use crate::messages::{Message, Misfit};
use crate::waiting::Waiting;

/// The longest `client_id`, in characters.
const MAX_CLIENT_ID_CHARS: usize = 64;

/// The first microsecond of the year 1 and the last of the year 9999: what every database can hold.
const TIMES: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

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
    /// The event that posted it; `None`: it was imported.
    pub event: Option<EventId>,
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

/// How far somebody has read a conversation. Of two marks of one reader the greater one counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReadMark {
    /// Where.
    pub conversation: ConversationId,
    /// Who.
    pub account: AccountId,
    /// The newest message they marked as read.
    pub message: MessageId,
    /// Where the entry stands that said so.
    pub touched_seq: Position,
    /// The reader's username in that entry.
    pub username: String,
    /// When they read it.
    pub read_at: Timestamp,
}

/// What an entry did to a row.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// The row has to be saved.
    pub changed: bool,
    /// Read marks that may have moved.
    pub marks: Vec<ReadMark>,
}

/// The message an entry is about; `None`: it is about the whole conversation, or stands where no message can.
pub fn subject(entry: &Entry) -> Option<MessageId> {
    match entry.event.body {
        Body::Posted { .. } => entry.position.message_id(),
        Body::Edited { message, .. } | Body::Deleted { message } | Body::Read { message } => Some(message),
        Body::ConversationDeleted | Body::ParticipantRemoved => None,
    }
}

/// Refuses what no database could hold or no log could mean.
pub fn check(entry: &Entry) -> Result<(), Misfit> {
    let refuse = |reason: &str| Err(Misfit { position: entry.position, reason: reason.to_owned() });
    if entry.position.message_id().is_none() {
        return refuse(&format!("a position lies between 1 and {MAX_ID}"));
    }
    if !TIMES.contains(&entry.event.at.as_micros()) {
        return refuse("its time lies outside the years 1 to 9999");
    }
    if subject(entry).is_some_and(|message| Position::from(message) > entry.position) {
        return refuse("it is about a message that stands behind it");
    }
    if texts(&entry.event).any(|text| text.contains('\0')) {
        return refuse("a text contains U+0000");
    }
    if let Body::Posted { client_id: Some(client_id), .. } = &entry.event.body
        && client_id.chars().nth(MAX_CLIENT_ID_CHARS).is_some()
    {
        return refuse("its client_id is longer than 64 characters");
    }
    Ok(())
}

/// Refuses a message of another system that no database could hold.
pub fn check_import(message: &Message) -> Result<(), &'static str> {
    let texts = [Some(&message.sender_name), message.content.as_ref(), message.attachment.as_ref()];
    let times = [Some(message.timestamp), message.read_at, message.edited_at];
    if texts.into_iter().flatten().any(|text| text.contains('\0')) {
        return Err("a text contains U+0000");
    }
    if times.into_iter().flatten().any(|time| !TIMES.contains(&time.as_micros())) {
        return Err("a time lies outside the years 1 to 9999");
    }
    Ok(())
}

fn texts(event: &Event) -> impl Iterator<Item = &str> {
    let of_body = match &event.body {
        Body::Posted { content, attachment, client_id } => {
            [Some(content.as_str()), attachment.as_deref(), client_id.as_deref()]
        }
        Body::Edited { content, .. } => [Some(content.as_str()), None, None],
        Body::Deleted { .. } | Body::Read { .. } | Body::ConversationDeleted | Body::ParticipantRemoved => [None; 3],
    };
    of_body.into_iter().flatten().chain([event.actor.username.as_str()])
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

    /// Applies an entry that [`check`] let pass and whose [`subject`] is this message.
    pub fn apply(&mut self, entry: &Entry) -> Result<Effect, Misfit> {
        match (&mut self.state, &entry.event.body) {
            (State::Posted(posted), Body::Posted { .. }) if posted.event == Some(entry.event.id) => {
                Ok(Effect::default())
            }
            (State::Posted(_), Body::Posted { .. }) => {
                let reason = "its position was used before, by another event".to_owned();
                Err(Misfit { position: entry.position, reason })
            }
            (State::Awaited(_), Body::Posted { content, attachment, client_id }) => Ok(self.fill(Posted {
                message: Message {
                    id: self.id,
                    conversation: entry.event.conversation,
                    sender: entry.event.actor.id,
                    sender_name: entry.event.actor.username.clone(),
                    content: Some(text::strip(content).to_owned()),
                    attachment: attachment.clone(),
                    timestamp: entry.event.at,
                    is_read: false,
                    read_at: None,
                    is_deleted: false,
                    edited_at: None,
                },
                event: Some(entry.event.id),
                client_id: client_id.clone(),
                is_resend: false,
                edited_seq: Position::START,
                read_seq: Position::START,
                deleted_seq: Position::START,
                deleted_at: None,
                touched_seq: entry.position,
            })),
            (State::Posted(posted), _) => Ok(posted.apply(entry.position, &entry.event)),
            (State::Awaited(waiting), _) => {
                Ok(Effect { changed: waiting.insert(entry.position, &entry.event), marks: Vec::new() })
            }
        }
    }

    /// Takes over a message of another system, unless the row has been posted already.
    pub fn import(&mut self, message: &Message) -> Effect {
        match self.state {
            State::Posted(_) => Effect::default(),
            State::Awaited(_) => self.fill(Posted {
                message: message.clone(),
                event: None,
                client_id: None,
                is_resend: false,
                edited_seq: Position::START,
                read_seq: Position::START,
                deleted_seq: Position::START,
                deleted_at: None,
                touched_seq: self.id.into(),
            }),
        }
    }

    fn fill(&mut self, mut posted: Posted) -> Effect {
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
    fn apply(&mut self, position: Position, event: &Event) -> Effect {
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
