//! Reads a conversation's log, patiently.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use natter_log::port::{Log, LogError};
use natter_model::event::Entry;
use natter_model::id::{ConversationId, Position};
use tracing::warn;

/// Entries read at once.
const BATCH: usize = 128;

/// One conversation's past.
#[derive(Clone)]
pub(crate) struct Reader {
    log: Arc<dyn Log>,
    conversation: ConversationId,
}

impl Reader {
    /// Reads this conversation.
    pub(crate) fn new(log: Arc<dyn Log>, conversation: ConversationId) -> Self {
        Self { log, conversation }
    }

    /// The next entries after `after`, oldest first; more of them may follow. None: there are no more. Waits for as long
    /// as the log is away.
    pub(crate) async fn read(&self, after: Position) -> Vec<Entry> {
        let mut pauses = pauses();
        loop {
            match self.log.read(self.conversation, after, BATCH).await {
                Ok(entries) => return entries,
                Err(error) => warn!(conversation = %self.conversation, %after, %error, "cannot read the log"),
            }
            pause(&mut pauses).await;
        }
    }

    /// Where the conversation's last entry stands.
    pub(crate) async fn head(&self) -> Result<Position, LogError> {
        self.log.head(self.conversation).await
    }
}

/// Growing pauses between attempts at something that must succeed in the end: 50 ms to 2 s, with jitter.
pub(crate) fn pauses() -> impl Iterator<Item = Duration> + Send {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(Duration::from_secs(2))
        .without_max_times()
        .with_jitter()
        .build()
}

/// Waits for the next of the pauses.
pub(crate) async fn pause(pauses: &mut impl Iterator<Item = Duration>) {
    tokio::time::sleep(pauses.next().unwrap_or(Duration::from_secs(2))).await;
}
