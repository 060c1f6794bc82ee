//! Pub/sub: hears what is published in the groups of all chats.

use std::time::Duration;

use futures_util::StreamExt;
use natter_host::backoff::Backoff;
use redis::aio::PubSubSink;
use redis::{ErrorKind, Msg, RedisError};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::time::{Instant, interval_at, timeout};

use super::{Broken, Shared, Unheard};
use crate::layer::hosts::PATIENCE;
use crate::layer::inbox::Heard;

/// How often the server is asked for a sign of life.
const PULSE: Duration = Duration::from_secs(5);

/// Reads until the line breaks, or nobody listens.
pub(super) async fn follow(
    shared: &Shared,
    host: usize,
    inbox: &mpsc::Sender<Vec<Heard>>,
    backoff: &mut Backoff,
) -> Result<(), Broken> {
    let mut line = shared.hosts[host].subscriber().await?;
    line.psubscribe(shared.members.names.chats_pattern()).await?;
    if inbox.send(vec![Heard::LineUp { host }]).await.is_err() {
        return Ok(());
    }
    backoff.reset();
    let (mut sink, mut messages) = line.split();
    let mut pulse = interval_at(Instant::now() + PULSE, PULSE);
    let mut lost = 0;
    loop {
        tokio::select! {
            message = messages.next() => {
                let Some(message) = message else { return Err(gone().into()) };
                let heard = understand(shared, &message);
                if heard.is_empty() {
                    continue;
                }
                if pass_on(inbox, heard, &mut lost).is_err() {
                    return Ok(());
                }
            }
            _ = pulse.tick() => beat(&mut sink).await?,
            () = inbox.closed() => return Ok(()),
        }
    }
}

fn understand(shared: &Shared, message: &Msg) -> Vec<Heard> {
    let channel = message.get_channel_name();
    let Some(group) = shared.members.names.group_of(channel) else { return Vec::new() };
    shared.understand(channel, Some(group), message.get_payload_bytes())
}

/// The client library keeps what we do not read, without a limit; so what the inbox cannot take is dropped here, as
/// Django's own consumers drop it.
fn pass_on(inbox: &mpsc::Sender<Vec<Heard>>, heard: Vec<Heard>, lost: &mut u64) -> Result<(), Unheard> {
    let batch = if *lost > 0 {
        let mut batch = vec![Heard::Lost { messages: *lost }];
        batch.extend(heard);
        batch
    } else {
        heard
    };
    match inbox.try_send(batch) {
        Ok(()) => *lost = 0,
        Err(TrySendError::Full(_)) => *lost += 1,
        Err(TrySendError::Closed(_)) => return Err(Unheard),
    }
    Ok(())
}

async fn beat(sink: &mut PubSubSink) -> Result<(), RedisError> {
    match timeout(PATIENCE, sink.ping::<redis::Value>()).await {
        Ok(answer) => answer.map(drop),
        Err(_) => Err(gone()),
    }
}

fn gone() -> RedisError {
    RedisError::from((ErrorKind::Io, "the line was cut"))
}
