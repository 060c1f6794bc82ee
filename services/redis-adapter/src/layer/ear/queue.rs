//! Core: takes messages out of this process's queue.
//!
//! The library parks each message under `$inflight` until it is read, for another reader of the same queue. This queue
//! has one reader and no successor, since each process has a name of its own; the other adapters have their own copies.

use std::time::Duration;

use natter_host::backoff::Backoff;
use redis::aio::MultiplexedConnection;
use redis::{RedisResult, cmd};
use tokio::sync::mpsc;

use super::{BATCH, Broken, Shared};
use crate::layer::delivery::is_wrong_type;
use crate::layer::error::{Garbage, Unreadable};
use crate::layer::hosts::PATIENCE;
use crate::layer::inbox::Heard;

/// How long Redis may keep a question for the next message: a sign of life at least this often.
const POLL: Duration = Duration::from_secs(5);

/// Reads until the line breaks, or nobody listens.
///
/// Each host is listened to, also those where the queue does not belong: Channels' `send` may put a message there,
/// and so it is noticed when a host comes back without our groups.
pub(super) async fn drain(
    shared: &Shared,
    host: usize,
    inbox: &mpsc::Sender<Vec<Heard>>,
    backoff: &mut Backoff,
) -> Result<(), Broken> {
    let key = shared.members.names.queue_key(&shared.members.process.all_channels()).name;
    let mut line = shared.hosts[host].connect(POLL + PATIENCE).await?;
    cmd("PING").query_async::<()>(&mut line).await?;
    if inbox.send(vec![Heard::LineUp { host }]).await.is_err() {
        return Ok(());
    }
    backoff.reset();
    loop {
        let heard = match take(&mut line, &key).await {
            Ok(payloads) => payloads.iter().flat_map(|payload| shared.understand(&key, None, payload)).collect(),
            // Nobody else may use this key. While it is wrong, each Django process that says something gets an error.
            Err(error) if is_wrong_type(&error) => {
                cmd("DEL").arg(&key).query_async::<()>(&mut line).await?;
                vec![Heard::Garbage(Garbage { key: key.clone(), why: Unreadable::WrongType })]
            }
            Err(error) => return Err(error.into()),
        };
        if !heard.is_empty() && inbox.send(heard).await.is_err() {
            return Ok(());
        }
    }
}

/// The next messages, lowest score first. None after a while without any.
async fn take(line: &mut MultiplexedConnection, key: &str) -> RedisResult<Vec<Vec<u8>>> {
    let first: Option<(String, Vec<u8>, f64)> = cmd("BZPOPMIN").arg(key).arg(POLL.as_secs()).query_async(line).await?;
    let Some((_, first, _)) = first else { return Ok(Vec::new()) };
    let mut payloads = vec![first];
    let more: Vec<(Vec<u8>, f64)> = cmd("ZPOPMIN").arg(key).arg(BATCH - 1).query_async(line).await?;
    payloads.extend(more.into_iter().map(|(payload, _)| payload));
    Ok(payloads)
}
