//! Listens to one host, for as long as the process lives.

mod queue;
mod subscription;

use std::sync::Arc;
use std::time::Duration;

use natter_host::backoff::Backoff;
use redis::RedisError;
use tokio::sync::mpsc;

use super::Shared;
use super::config::LayerKind;
use super::error::{Garbage, Unreadable};
use super::event::GroupMessage;
use super::inbox::Heard;
use super::payload::Opened;

/// Messages that are taken out of a queue at once.
pub(crate) const BATCH: usize = 64;

/// Waits between two attempts to connect.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What an ear of this host hears goes to `inbox`, until nobody reads it.
pub(crate) async fn listen(shared: Arc<Shared>, host: usize, inbox: mpsc::Sender<Vec<Heard>>) {
    let mut backoff = Backoff::between(FIRST_WAIT, LONGEST_WAIT);
    loop {
        let ended = match shared.kind {
            LayerKind::Core => queue::drain(&shared, host, &inbox, &mut backoff).await,
            LayerKind::PubSub => subscription::follow(&shared, host, &inbox, &mut backoff).await,
        };
        let Err(Broken(error)) = ended else { return };
        // So that what is said after `LineUp` does not go into a line to the server that was there before.
        shared.hosts[host].hang_up().await;
        if backoff.is_fresh() && inbox.send(vec![Heard::LineDown { host, error: error.to_string() }]).await.is_err() {
            return;
        }
        backoff.wait().await;
    }
}

/// The line to the host is of no more use.
struct Broken(RedisError);

/// Nobody reads the inbox any more.
struct Unheard;

impl From<RedisError> for Broken {
    fn from(error: RedisError) -> Self {
        Self(error)
    }
}

impl Shared {
    /// What a payload from this key says to us. Nothing, if Natter wrote it.
    fn understand(&self, key: &str, group: Option<&str>, payload: &[u8]) -> Vec<Heard> {
        let garbage = |why| vec![Heard::Garbage(Garbage { key: key.to_owned(), why })];
        let message = |group: &str, event| Heard::Message(GroupMessage { group: group.to_owned(), event });
        match (self.codec.open(payload, self.source), group) {
            (Err(why), _) => garbage(why),
            (Ok(Opened::Ours), _) => Vec::new(),
            (Ok(Opened::Theirs { event, .. }), Some(group)) => vec![message(group, event)],
            (Ok(Opened::Theirs { event, channels }), None) => {
                let groups = channels.iter().filter_map(|channel| self.members.process.group_of(channel));
                let heard: Vec<_> = groups.map(|group| message(group, event.clone())).collect();
                if heard.is_empty() { garbage(Unreadable::NoChannel) } else { heard }
            }
        }
    }
}
