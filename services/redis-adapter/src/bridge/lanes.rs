//! What was said at Django on its way into the log: in order per conversation, and waiting while the log is away.

use std::sync::Arc;
use std::time::Duration;

use natter_host::backoff::Backoff;
use natter_log::port::{Log, LogError};
use natter_model::id::{ConversationId, EventId, MessageId, Position};
use natter_trace::spans;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, debug, error, info, warn};

use super::inward::{Deed, Said};
use super::members::{AuthzUnavailable, Members};
use super::recent::Recent;
use crate::metrics;

/// Conversations are spread over so many lanes, each of which appends one event after the other.
const LANES: usize = 16;
/// What one lane keeps waiting, of at most some 20 KB each. Beyond it nothing more is heard from Redis, which then keeps
/// `capacity` messages for `expiry` (core) or cuts the line (pub/sub).
const LANE: usize = 256;
/// From then on the log may have forgotten that another adapter has appended the same: it remembers ids for two minutes.
const LOOK_AFTER: Duration = Duration::from_secs(60);
/// Entries that are looked through at once.
const PAGE: usize = 500;
/// Pauses before the next attempt when the log or authz is away.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Authz(#[from] AuthzUnavailable),
}

/// What became of something that was said.
enum Outcome {
    Appended(Position),
    Duplicate,
    /// For this reason it will never be in the log.
    Refused(&'static str),
}

/// What all lanes need.
pub(crate) struct Relay {
    pub log: Arc<dyn Log>,
    pub members: Members,
    pub recent: Recent,
    /// Where the log begins: ids that Django gives must stay below.
    pub first: Position,
    /// Whether one did not.
    pub has_overlap: watch::Sender<bool>,
}

/// Takes what was said at Django. When it is dropped, the lanes end once they are empty.
pub(crate) struct Lanes {
    lanes: Vec<mpsc::Sender<Waiting>>,
    walked: watch::Receiver<Position>,
}

struct Waiting {
    said: Said,
    heard_at: Instant,
    /// It was not seen in the log up to here.
    behind: Position,
    _counted: metrics::Waiting,
}

impl Lanes {
    /// `walked` tells how far the log has been looked through for what `recent` remembers.
    pub(crate) fn open(relay: Relay, walked: watch::Receiver<Position>, tasks: &TaskTracker) -> Self {
        let relay = Arc::new(relay);
        let lanes = (0..LANES).map(|_| {
            let (lane, mut queue) = mpsc::channel::<Waiting>(LANE);
            let relay = Arc::clone(&relay);
            tasks.spawn(async move {
                while let Some(waiting) = queue.recv().await {
                    let span = spans::heard(waiting.said.deed.name());
                    relay.relay(&waiting).instrument(span).await;
                }
            });
            lane
        });
        Self { lanes: lanes.collect(), walked }
    }

    /// Returns as soon as there is room.
    pub(crate) async fn take(&self, said: Said) {
        let behind = *self.walked.borrow();
        let lane = said.conversation.get() as usize % LANES;
        let waiting = Waiting { said, heard_at: Instant::now(), behind, _counted: metrics::waiting() };
        // The lanes live as long as this.
        let _ = self.lanes[lane].send(waiting).await;
    }
}

impl Relay {
    /// Tries until it is decided.
    async fn relay(&self, waiting: &Waiting) {
        let conversation = waiting.said.conversation;
        let mut backoff = Backoff::between(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            match self.attempt(waiting).await {
                Ok(Outcome::Appended(position)) => {
                    metrics::relayed();
                    if !backoff.is_fresh() {
                        info!(%conversation, %position, "what Django said could be appended after all");
                    }
                    debug!(%conversation, %position, "relayed");
                    return;
                }
                Ok(Outcome::Duplicate) => return metrics::duplicate(),
                Ok(Outcome::Refused(reason)) => return metrics::skipped(reason, 1),
                Err(trouble) => {
                    if backoff.is_fresh() {
                        warn!(%conversation, error = %trouble, "what Django said waits to be appended");
                    }
                    backoff.wait().await;
                }
            }
        }
    }

    async fn attempt(&self, waiting: &Waiting) -> Result<Outcome, Trouble> {
        let said = &waiting.said;
        let conversation = said.conversation;
        let Some(actor) = self.members.find(conversation, &said.username).await? else {
            warn!(%conversation, username = said.username, "somebody who does not take part spoke at Django");
            return Ok(Outcome::Refused("not_a_participant"));
        };
        if let Deed::Posted { message, .. } = &said.deed
            && Position::from(*message) >= self.first
        {
            self.tell_of_overlap(conversation, *message);
            return Ok(Outcome::Refused("id_overlap"));
        }
        let Some(event) = said.event(actor) else { return Ok(Outcome::Refused("not_for_the_log")) };
        let is_old = waiting.heard_at.elapsed() > LOOK_AFTER;
        if self.recent.has(event.id) || (is_old && self.stands(conversation, waiting.behind, event.id).await?) {
            return Ok(Outcome::Duplicate);
        }
        match self.log.append(&event).await {
            Ok(appended) if appended.duplicate => Ok(Outcome::Duplicate),
            Ok(appended) => Ok(Outcome::Appended(appended.position)),
            Err(LogError::TooLarge) => Ok(Outcome::Refused("record_too_large")),
            Err(error) => Err(error.into()),
        }
    }

    /// Does this event stand in the conversation behind `after`?
    async fn stands(&self, conversation: ConversationId, mut after: Position, id: EventId) -> Result<bool, LogError> {
        loop {
            let page = self.log.read(conversation, after, PAGE).await?;
            if page.iter().any(|entry| entry.event.id == id) {
                return Ok(true);
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after = last.position,
                _ => return Ok(false),
            }
        }
    }

    fn tell_of_overlap(&self, conversation: ConversationId, message: MessageId) {
        error!(
            %conversation, django.id = %message, log.first = %self.first,
            "Django gave a message an id that is Natter's: its messages are not relayed. Have Django count on below \
             {}, or begin the log further on (see docs/redis-adapter.md)", self.first
        );
        self.has_overlap.send_replace(true);
    }
}

#[cfg(test)]
mod tests;
