//! Reads a conversation's past, patiently.

use std::sync::Arc;
use std::time::Duration;

use natter_host::backoff::Backoff;
use natter_log::port::LogError;
use natter_model::event::Entry;
use natter_model::id::{ConversationId, Position};
use tracing::{debug, warn};

use crate::page::Page;
use crate::past::{Past, PastError};

/// One conversation's past.
#[derive(Clone)]
pub(crate) struct Reader {
    past: Arc<Past>,
    conversation: ConversationId,
}

impl Reader {
    /// Reads this conversation.
    pub(crate) fn new(past: Arc<Past>, conversation: ConversationId) -> Self {
        Self { past, conversation }
    }

    /// See [`Past::page`]. Waits for as long as there is none.
    pub(crate) async fn page(&self, known: Position, position: Position, goal: Position) -> Arc<Page> {
        let mut backoff = patience();
        loop {
            match self.past.page(self.conversation, known, position, goal).await {
                Ok(page) => return page,
                // Whoever does not answer is told of elsewhere, once for all who wait.
                Err(error @ PastError::LogAway(_)) => {
                    debug!(conversation = %self.conversation, %error, "a client waits")
                }
                Err(error) => warn!(conversation = %self.conversation, %position, %error, "a client has to wait"),
            }
            backoff.wait().await;
        }
    }

    /// See [`Past::in_log`]. Waits for as long as the log is away.
    pub(crate) async fn in_log(&self, after: Position) -> Option<Vec<Entry>> {
        let mut backoff = patience();
        loop {
            match self.past.in_log(self.conversation, after).await {
                Ok(entries) => return entries,
                Err(error) => warn!(conversation = %self.conversation, %after, %error, "cannot read the log"),
            }
            backoff.wait().await;
        }
    }

    /// Where the conversation's last entry stands.
    pub(crate) async fn head(&self) -> Result<Position, LogError> {
        self.past.head(self.conversation).await
    }
}

/// For attempts at something that must succeed in the end.
pub(crate) fn patience() -> Backoff {
    Backoff::between(Duration::from_millis(50), Duration::from_secs(2))
}
