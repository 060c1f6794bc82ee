//! What Django's side says.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Shared;
use super::config::LayerKind;
use super::ear::{self, BATCH};
use super::error::Garbage;
use super::event::GroupMessage;

/// Messages that wait for whoever reads the inbox. More wait in Redis; with pub/sub they are dropped.
const ROOM: usize = 4096;

/// Something heard on the layer.
#[derive(Debug)]
pub enum Heard {
    /// Somebody else said something in a group. Its `type` may be anything.
    Message(GroupMessage),
    /// Something that cannot be read. Count it, say which key, go on.
    Garbage(Garbage),
    /// So many messages were dropped, since nobody read the inbox. Pub/sub only.
    Lost {
        /// How many, since the last time.
        messages: u64,
    },
    /// We listen on this host, for the first time or again. What was said meanwhile may be lost, and Redis may have
    /// come back empty: join all groups again.
    LineUp {
        /// Which of the hosts.
        host: usize,
    },
    /// Nothing is heard from this host. The inbox tries again by itself; this comes once until the next `LineUp`.
    LineDown {
        /// Which of the hosts.
        host: usize,
        /// What the client library says.
        error: String,
    },
}

/// Where everything is heard. What Natter said, by any adapter, is left out.
#[derive(Debug)]
pub struct Inbox {
    heard: mpsc::Receiver<Vec<Heard>>,
    ears: JoinSet<()>,
}

impl Inbox {
    pub(crate) fn open(shared: &Arc<Shared>) -> Self {
        let room = match shared.kind {
            LayerKind::Core => ROOM / BATCH,
            LayerKind::PubSub => ROOM,
        };
        let (inbox, heard) = mpsc::channel(room);
        let mut ears = JoinSet::new();
        for host in 0..shared.hosts.len() {
            ears.spawn(ear::listen(shared.clone(), host, inbox.clone()));
        }
        Self { heard, ears }
    }

    /// What was said, oldest first per group; waits until there is something. Dropping the future loses nothing.
    ///
    /// A caller that does not come back is waited for: with the core layer, messages then wait in Redis (up to
    /// `capacity`, for `expiry`); with pub/sub, a few thousand wait here and the rest is dropped.
    pub async fn receive(&mut self) -> Vec<Heard> {
        tokio::select! {
            Some(heard) = self.heard.recv() => heard,
            Some(Err(ended)) = self.ears.join_next() => std::panic::resume_unwind(ended.into_panic()),
            else => unreachable!("an ear ends only after its inbox"),
        }
    }
}
