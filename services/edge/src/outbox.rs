//! What one client alone is told: errors, acknowledgements, pongs.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::frame::Outgoing;

/// Replies that may wait to be written. A client that does not read them is not listened to either.
const MAX_REPLIES: usize = 32;

/// A bounded queue between the two halves of one connection; far smaller than a channel, of which each connection would
/// need one.
pub(crate) struct Outbox {
    replies: Mutex<VecDeque<Outgoing>>,
    filled: Notify,
    emptied: Notify,
}

impl Outbox {
    /// One that holds this reply, if any.
    pub(crate) fn with(reply: Option<Outgoing>) -> Self {
        Self { replies: Mutex::new(reply.into_iter().collect()), filled: Notify::new(), emptied: Notify::new() }
    }

    /// Waits while the outbox is full. Only one may put at a time.
    pub(crate) async fn put(&self, reply: Outgoing) {
        while self.replies().len() >= MAX_REPLIES {
            self.emptied.notified().await;
        }
        self.replies().push_back(reply);
        self.filled.notify_one();
    }

    /// Waits for replies, then takes all of them. Only one may take at a time. Safe to drop while waiting.
    pub(crate) async fn take(&self) -> VecDeque<Outgoing> {
        loop {
            let replies = self.rest();
            if !replies.is_empty() {
                self.emptied.notify_one();
                return replies;
            }
            self.filled.notified().await;
        }
    }

    /// What nobody has taken yet.
    pub(crate) fn rest(&self) -> VecDeque<Outgoing> {
        std::mem::take(&mut *self.replies())
    }

    fn replies(&self) -> MutexGuard<'_, VecDeque<Outgoing>> {
        // No operation on the queue leaves it half done.
        self.replies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use natter_wire::server;

    fn reply() -> Outgoing {
        server::pong().into()
    }

    #[tokio::test]
    async fn a_full_outbox_makes_the_next_reply_wait() {
        let outbox = Outbox::with(None);
        for _ in 0..MAX_REPLIES {
            outbox.put(reply()).await;
        }
        let mut one_more = Box::pin(outbox.put(reply()));
        assert!(one_more.as_mut().now_or_never().is_none());
        assert_eq!(outbox.take().await.len(), MAX_REPLIES);
        one_more.await;
        assert_eq!(outbox.take().await, [reply()]);
        assert!(outbox.take().now_or_never().is_none());
    }
}
