//! What is heard on the channel layer, each to where it belongs.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::inward::{self, Deed, Said};
use super::lanes::Lanes;
use super::typing::Way;
use crate::layer::error::Garbage;
use crate::layer::event::GroupMessage;
use crate::layer::inbox::{Heard, Inbox};
use crate::metrics;

/// Once we have left all groups, silence of this length means that there is no more.
const SILENCE: Duration = Duration::from_millis(300);
/// Longest time that is listened after that.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// Lines in the log about what cannot be read, per second. More are only counted.
const COMPLAINTS: u32 = 20;

/// Hears what Django says.
pub(crate) struct Receiver {
    lanes: Lanes,
    typing: Way<Said>,
    /// Redis may have forgotten the groups, and how far the log is published.
    lost: Vec<Arc<Notify>>,
    complaints: Complaints,
}

impl Receiver {
    pub(crate) fn new(lanes: Lanes, typing: Way<Said>, lost: Vec<Arc<Notify>>) -> Self {
        Self { lanes, typing, lost, complaints: Complaints { since: Instant::now(), n_made: 0 } }
    }

    /// Listens until `drain` is cancelled, `has_left` says that all groups are left, and nothing more comes.
    pub(crate) async fn listen(mut self, mut inbox: Inbox, drain: &CancellationToken, has_left: watch::Receiver<bool>) {
        loop {
            let heard = tokio::select! {
                heard = inbox.receive() => heard,
                () = drain.cancelled() => break,
            };
            self.take(heard).await;
        }
        self.hear_last_words(&mut inbox, has_left).await;
    }

    async fn hear_last_words(&mut self, inbox: &mut Inbox, mut has_left: watch::Receiver<bool>) {
        let listening = async {
            loop {
                let quiet = async {
                    // Whoever drops the sender has left too.
                    let _ = has_left.wait_for(|has_left| *has_left).await;
                    time::sleep(SILENCE).await;
                };
                tokio::select! {
                    biased;
                    heard = inbox.receive() => self.take(heard).await,
                    () = quiet => return,
                }
            }
        };
        if time::timeout(LAST_WORDS, listening).await.is_err() {
            warn!("messages came to the last; those in Redis now are left");
        }
    }

    async fn take(&mut self, heard: Vec<Heard>) {
        for heard in heard {
            match heard {
                Heard::Message(message) => self.take_message(&message).await,
                Heard::Garbage(garbage) => self.complain(&garbage),
                Heard::Lost { messages } => {
                    warn!(messages, "messages came faster than they could be taken, and are lost");
                    metrics::skipped("inbox_full", messages as usize);
                }
                Heard::LineUp { host } => {
                    info!(host, "listening to Redis");
                    metrics::line();
                    self.lost.iter().for_each(|lost| lost.notify_one());
                }
                Heard::LineDown { host, error } => warn!(host, error, "nothing is heard from Redis"),
            }
        }
    }

    async fn take_message(&mut self, message: &GroupMessage) {
        metrics::received();
        match inward::read(message) {
            Ok(said) if matches!(said.deed, Deed::Typing { .. }) => self.typing.send(said),
            Ok(said) => self.lanes.take(said).await,
            Err(nonsense) => {
                metrics::skipped(nonsense.label(), 1);
                let kind = message.event.type_name().unwrap_or_default();
                if self.complaints.may_be_made() {
                    warn!(key = message.group, kind, reason = %nonsense, "skipping a message of the channel layer");
                } else {
                    debug!(key = message.group, kind, reason = %nonsense, "skipping a message of the channel layer");
                }
            }
        }
    }

    fn complain(&mut self, garbage: &Garbage) {
        metrics::skipped(garbage.why.label(), 1);
        if self.complaints.may_be_made() {
            warn!(key = garbage.key, reason = %garbage.why, "skipping what cannot be read");
        } else {
            debug!(key = garbage.key, reason = %garbage.why, "skipping what cannot be read");
        }
    }
}

/// How much has been complained about lately.
struct Complaints {
    since: Instant,
    n_made: u32,
}

impl Complaints {
    fn may_be_made(&mut self) -> bool {
        if self.since.elapsed() >= Duration::from_secs(1) {
            *self = Self { since: Instant::now(), n_made: 0 };
        }
        self.n_made += 1;
        self.n_made <= COMPLAINTS
    }
}
