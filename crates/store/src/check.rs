//! What can be folded at all, and into which row.

use std::ops::RangeInclusive;

use natter_model::event::{Body, Entry, Event};
use natter_model::id::{MAX_ID, MessageId, Position};

use crate::messages::{Message, Misfit};

/// The longest `client_id`, in characters.
const MAX_CLIENT_ID_CHARS: usize = 64;

/// The first microsecond of the year 1 and the last of the year 9999: what every database can hold.
pub const TIMES: RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// The message an entry is about; `None`: it is about the whole conversation, or stands where no message can.
pub fn subject(entry: &Entry) -> Option<MessageId> {
    match entry.event.body {
        Body::Posted { .. } => entry.message_id(),
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
    if let Body::Posted { message: Some(given), .. } = entry.event.body
        && Position::from(given) >= entry.position
    {
        return refuse("its message's id is not below its position: the log begins before the other system's ids end");
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
        Body::Posted { content, attachment, client_id, .. } => {
            [Some(content.as_str()), attachment.as_deref(), client_id.as_deref()]
        }
        Body::Edited { content, .. } => [Some(content.as_str()), None, None],
        Body::Deleted { .. } | Body::Read { .. } | Body::ConversationDeleted | Body::ParticipantRemoved => [None; 3],
    };
    of_body.into_iter().flatten().chain([event.actor.username.as_str()])
}
