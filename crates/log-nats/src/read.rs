//! Reading a conversation: batched direct gets, which any replica answers, checked against what the leader holds.

use std::time::Duration;

use async_nats::Message;
use async_nats::header::NATS_SEQUENCE;
use natter_log::port::LogError;
use natter_model::event::Entry;
use natter_model::id::{ConversationId, Position};
use natter_proto::record;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::api::{PATIENCE, Replies, Reply, number};
use crate::layout::{STREAM, events_of};
use crate::leader;
use crate::link::{Link, QUEUE};

/// Records per answer: all of them must fit into the queue of the client, which drops what does not.
pub(crate) const BATCH: usize = QUEUE / 2;
/// Bytes per answer, about: more would make other subscriptions on the same line wait.
pub(crate) const BATCH_BYTES: usize = 4 << 20;
/// How long a replica that lags gets before it, or another, is asked again.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);

/// See [`natter_log::port::Log::read`].
pub(crate) async fn read(
    link: &Link,
    conversation: ConversationId,
    after: Position,
    limit: usize,
) -> Result<Vec<Entry>, LogError> {
    let mut reading = Reading { entries: Vec::new(), seen: after, previous: None };
    let deadline = Instant::now() + PATIENCE;
    loop {
        let head = leader::head(link, conversation).await?;
        while reading.entries.len() < limit && reading.seen < head {
            if !advance(link, conversation, &mut reading, limit).await? {
                break; // this replica has no more
            }
        }
        if reading.entries.len() >= limit || reading.seen >= head {
            break;
        }
        if Instant::now() > deadline {
            return Err(LogError::Unavailable("the replicas lag behind the leader".to_owned()));
        }
        sleep(PAUSE).await;
    }
    reading.entries.truncate(limit);
    if let Some(first) = reading.entries.first_mut() {
        first.previous = match reading.previous {
            Some(previous) => previous,
            None => last_up_to(link, conversation, after).await?,
        };
    }
    Ok(reading.entries)
}

/// How far a reading is.
struct Reading {
    entries: Vec<Entry>,
    /// The last record that was looked at, or where reading began.
    seen: Position,
    /// What stands before the first entry, if that is known.
    previous: Option<Position>,
}

impl Reading {
    fn take(&mut self, position: Position, record: &[u8]) {
        if position == self.seen && self.entries.is_empty() {
            self.previous = Some(position);
        }
        if position <= self.seen {
            return;
        }
        self.seen = position;
        match record::decode_event(record) {
            Ok(event) => {
                let previous = self.entries.last().map_or(Position::START, |entry| entry.position);
                self.entries.push(Entry { position, previous, event });
            }
            Err(reason) => tracing::warn!(%position, %reason, "passing over an unreadable record"),
        }
    }
}

/// Reads one batch. Answers whether it brought anything.
async fn advance(
    link: &Link,
    conversation: ConversationId,
    reading: &mut Reading,
    limit: usize,
) -> Result<bool, LogError> {
    let before = reading.seen;
    // Begins with the record already seen: if it is there, it is the one before the first.
    let question = json!({
        "next_by_subj": events_of(conversation),
        "seq": before.get().max(1),
        "batch": (limit - reading.entries.len()).saturating_add(1).min(BATCH),
        "max_bytes": BATCH_BYTES,
    });
    for message in direct_get(link, &question).await? {
        let position = position_of(&message)?;
        reading.take(position, &message.payload);
    }
    Ok(reading.seen > before)
}

/// The conversation's last record at or before this position.
async fn last_up_to(link: &Link, conversation: ConversationId, position: Position) -> Result<Position, LogError> {
    if position == Position::START {
        return Ok(Position::START);
    }
    let question = json!({ "multi_last": [events_of(conversation)], "up_to_seq": position.get() });
    let found = direct_get(link, &question).await?;
    found.first().map_or(Ok(Position::START), position_of)
}

/// The records that answer the question, in order.
pub(crate) async fn direct_get(link: &Link, question: &Value) -> Result<Vec<Message>, LogError> {
    link.up_soon().await?;
    let question = question.to_string().into_bytes();
    let mut replies = Replies::ask(&link.client, format!("$JS.API.DIRECT.GET.{STREAM}"), question.into()).await?;
    let mut records = Vec::new();
    loop {
        match replies.next(PATIENCE).await? {
            Reply::Record(message) => records.push(message),
            Reply::Heartbeat => {}
            Reply::End => return Ok(records),
            Reply::Nobody => return Err(LogError::Unavailable("no replica of the stream answers".to_owned())),
            Reply::Trouble(trouble) => return Err(LogError::Unavailable(trouble)),
        }
    }
}

pub(crate) fn position_of(message: &Message) -> Result<Position, LogError> {
    number(message.headers.as_ref(), NATS_SEQUENCE)
        .map(Position::new)
        .ok_or_else(|| LogError::Unavailable("NATS answered with a record that has no sequence".to_owned()))
}
