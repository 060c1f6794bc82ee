//! Questions about single records that only the stream's leader answers: a replica may lag behind what it acknowledged.

use async_nats::jetstream::ErrorCode;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use natter_log::port::{Delivery, LogError};
use natter_model::event::Entry;
use natter_model::id::{ConversationId, Position};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::ask;
use crate::layout::{STREAM, events_of};
use crate::link::Link;

/// See [`natter_log::port::Log::head`].
pub(crate) async fn head(link: &Link, conversation: ConversationId) -> Result<Position, LogError> {
    let last = stored(link, json!({ "last_by_subj": events_of(conversation) })).await?;
    Ok(last.map_or(Position::START, |record| Position::new(record.seq)))
}

/// See [`natter_log::port::Log::entry`].
pub(crate) async fn entry(link: &Link, position: Position) -> Result<Option<Entry>, LogError> {
    if position == Position::START {
        return Ok(None);
    }
    let Some(stored) = stored(link, json!({ "seq": position.get() })).await? else { return Ok(None) };
    let unreadable = |reason: String| LogError::Unreadable { position, reason };
    let bytes = BASE64_STANDARD.decode(&stored.data).map_err(|error| unreadable(error.to_string()))?;
    match Delivery::of_record(position, &bytes.into(), None) {
        Delivery::Entry(entry, _) => Ok(Some(entry)),
        Delivery::Unreadable { reason, .. } => Err(unreadable(reason)),
        Delivery::Filler { .. } => Ok(None),
    }
}

#[derive(Deserialize)]
struct Answer {
    message: Stored,
}

#[derive(Deserialize)]
struct Stored {
    seq: u64,
    /// Base64; left out if it is empty.
    #[serde(default)]
    data: String,
}

async fn stored(link: &Link, which: Value) -> Result<Option<Stored>, LogError> {
    link.up_soon().await?;
    match ask::<Answer>(&link.client, format!("STREAM.MSG.GET.{STREAM}"), &which).await {
        Ok(answer) => Ok(Some(answer.message)),
        Err(error) if error.is(ErrorCode::NO_MESSAGE_FOUND) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
