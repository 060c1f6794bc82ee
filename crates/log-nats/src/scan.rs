//! Reading the whole log, across conversations: batched direct gets, checked against what the leader holds.

use natter_log::port::{Delivery, LogError};
use natter_model::id::Position;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::api::{PATIENCE, cause};
use crate::end;
use crate::layout::EVENTS;
use crate::link::Link;
use crate::read::{BATCH, BATCH_BYTES, PAUSE, direct_get, position_of};

/// See [`natter_log::port::Log::scan`].
pub(crate) async fn scan(link: &Link, after: Position, limit: usize) -> Result<Vec<Delivery>, LogError> {
    let mut records = Vec::new();
    let mut seen = after;
    let mut deadline = Instant::now() + PATIENCE;
    loop {
        link.up_soon().await?;
        let ends = end::ask(&link.client).await?;
        // Nothing is ever taken out but the oldest, so the last record is there as long as there is any.
        while records.len() < limit && seen < ends.last && !ends.is_empty {
            let before = records.len();
            let question = json!({
                "next_by_subj": EVENTS,
                "seq": seen.get() + 1,
                "batch": (limit - before).min(BATCH),
                "max_bytes": BATCH_BYTES,
            });
            for message in direct_get(link, &question).await? {
                seen = position_of(&message)?;
                records.push(Delivery::of_record(seen, &message.payload, cause(&message)));
            }
            if records.len() == before {
                break; // this replica has no more
            }
            deadline = Instant::now() + PATIENCE;
        }
        if records.len() >= limit || seen >= ends.last || ends.is_empty {
            return Ok(records);
        }
        if Instant::now() > deadline {
            return Err(LogError::Unavailable("the replicas lag behind the leader".to_owned()));
        }
        sleep(PAUSE).await;
    }
}
