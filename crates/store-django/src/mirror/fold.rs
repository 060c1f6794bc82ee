//! What a record of the log does to Django's rows.
//!
//! Everything that was done in Natter is done to them as Django would have done it itself. What was done in Django is there
//! already; such a record is only looked at because the log decides which of two changes was the last.

use natter_model::event::{Body, Entry, Event, Origin};
use natter_model::id::{EventId, MessageId, Position};
use natter_model::text::strip;
use natter_model::timestamp::Timestamp;
use natter_store::check::{check, subject};

use crate::cells::Cells;
use crate::mirror::error::MirrorError;
use crate::mirror::line::{Value, Work};
use crate::mirror::outcome::{Folded, LeftOut, Why};
use crate::mirror::standing;
use crate::mirror::statements::Statements;
use crate::mirror::{Mirror, in_time};

const NAME: &str = "INSERT INTO natter_mirror_sent (event_id, message_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
const NAMED: &str = "SELECT message_id AS found FROM natter_mirror_sent WHERE event_id = $1";

/// A record to be folded.
#[derive(Debug, Clone, Copy)]
pub struct Step<'e> {
    /// The record.
    pub entry: &'e Entry,
    /// Of an edit or a read mark: what the record before it in the log set. Anything else in the row that is later by
    /// the clock is what Django has done since, and stays.
    pub over: Option<Timestamp>,
}

impl Mirror {
    /// Folds the records that stand behind `from`, in their order, and moves the position to `to`: all of it, or nothing.
    pub async fn fold(&mut self, from: Position, to: Position, steps: &[Step<'_>]) -> Result<Folded, MirrorError> {
        let Self { line, statements } = self;
        in_time(async {
            let mut work = line.begin().await?;
            // First, so that whoever is overtaken finds out before it writes.
            standing::advance(&mut work, from, to).await?;
            let mut folded = Folded::default();
            for step in steps {
                match fold(&mut work, statements, step).await? {
                    Ok(n_rows) => folded.n_rows += n_rows,
                    Err(why) => folded.left_out.push(LeftOut { position: step.entry.position, why }),
                }
            }
            work.commit().await?;
            Ok(folded)
        })
        .await
    }
}

/// How many rows it changed, or why it could not.
async fn fold(work: &mut Work<'_>, statements: &Statements, step: &Step<'_>) -> Result<Result<u64, Why>, MirrorError> {
    let event = &step.entry.event;
    if let Err(misfit) = check(step.entry) {
        let is_ours = event.origin == Origin::Natter;
        return Ok(if is_ours { Err(Why::Refused(misfit.reason)) } else { Ok(0) });
    }
    let conversation = Value::Int(event.conversation.as_i64());
    let (actor, at) = (Value::Int(event.actor.id.as_i64()), Value::Time(event.at));
    let message = Value::Int(subject(step.entry).map_or(0, MessageId::as_i64));
    let over = Value::MaybeTime(step.over);
    let is_ours = event.origin == Origin::Natter;
    let n_rows = match &event.body {
        Body::Posted { .. } if is_ours => return post(work, statements, step.entry).await,
        Body::Edited { content, .. } => {
            let values = [message, conversation, actor, Value::Text(strip(content)), at, over];
            work.execute(&statements.edit, &values).await?
        }
        Body::Deleted { .. } => work.execute(&statements.delete, &[message, conversation, actor]).await?,
        Body::Read { .. } => work.execute(&statements.read, &[message, conversation, at, over]).await?,
        Body::ConversationDeleted if is_ours => {
            let mut n_rows = 0;
            for statement in &statements.close {
                n_rows += work.execute(statement, &[conversation]).await?;
            }
            n_rows
        }
        Body::ParticipantRemoved if is_ours => work.execute(&statements.leave, &[conversation, actor]).await?,
        Body::Posted { .. } | Body::ConversationDeleted | Body::ParticipantRemoved => 0,
    };
    Ok(Ok(n_rows))
}

async fn post(work: &mut Work<'_>, statements: &Statements, entry: &Entry) -> Result<Result<u64, Why>, MirrorError> {
    let event = &entry.event;
    let (Some(message), Body::Posted { content, attachment, client_id, .. }) = (entry.message_id(), &event.body) else {
        return Ok(Ok(0));
    };
    if client_id.is_some() && !is_first_of_its_name(work, event.id, message).await? {
        return Ok(Ok(0));
    }
    let (conversation, sender) = (Value::Int(event.conversation.as_i64()), Value::Int(event.actor.id.as_i64()));
    let values = [
        Value::Int(message.as_i64()),
        Value::Text(strip(content)),
        Value::Text(attachment.as_deref().unwrap_or_default()),
        Value::Time(event.at),
        conversation,
        sender,
    ];
    let n_rows = work.execute(&statements.post, &values).await?;
    if n_rows > 0 {
        return Ok(Ok(n_rows));
    }
    let place = |row: &dyn Cells| Ok((row.int("conversation_id")?, row.time("timestamp")?));
    let mut there = work.rows(&statements.posted, &[Value::Int(message.as_i64())], place).await?;
    match there.pop() {
        Some(there) if there == (Some(event.conversation.as_i64()), Some(event.at)) => Ok(Ok(0)),
        Some(_) => Ok(Err(Why::IdTaken(message))),
        None => why_not(work, statements, event).await.map(Err),
    }
}

async fn why_not(work: &mut Work<'_>, statements: &Statements, event: &Event) -> Result<Why, MirrorError> {
    let found = work.numbers(&statements.conversation, &[Value::Int(event.conversation.as_i64())]).await?;
    Ok(match found.is_empty() {
        true => Why::NoConversation(event.conversation),
        false => Why::NoAccount(event.actor.id, event.actor.username.clone()),
    })
}

/// Not that of a message that was sent before under the same name.
async fn is_first_of_its_name(work: &mut Work<'_>, event: EventId, message: MessageId) -> Result<bool, MirrorError> {
    let event = event.to_string();
    let n_rows = work.execute(NAME, &[Value::Text(&event), Value::Int(message.as_i64())]).await?;
    if n_rows > 0 {
        return Ok(true);
    }
    Ok(work.numbers(NAMED, &[Value::Text(&event)]).await? == [message.as_i64()])
}
