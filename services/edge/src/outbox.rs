//! What one client alone is told: errors, acknowledgements, pongs.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::extract::ws::Utf8Bytes;
use tokio::sync::Notify;

/// Replies that may wait to be written. A client that does not read them is not listened to either.
const MAX_REPLIES: usize = 32;

/// A bounded queue between the two halves of one connection; far smaller than a channel, of which each connection would
/// need one.
pub(crate) struct Outbox {
    replies: Mutex<VecDeque<Utf8Bytes>>,
    filled: Notify,
    emptied: Notify,
}

impl Outbox {
    /// One that holds this reply, if any.
    pub(crate) fn with(reply: Option<String>) -> Self {
        let replies = reply.into_iter().map(Utf8Bytes::from).collect();
        Self { replies: Mutex::new(replies), filled: Notify::new(), emptied: Notify::new() }
    }

    /// Waits while the outbox is full. Only one may put at a time.
    pub(crate) async fn put(&self, reply: String) {
        while self.replies().len() >= MAX_REPLIES {
            self.emptied.notified().await;
        }
        self.replies().push_back(reply.into());
        self.filled.notify_one();
    }

    /// Waits for replies, then takes all of them. Only one may take at a time. Safe to drop while waiting.
    pub(crate) async fn take(&self) -> VecDeque<Utf8Bytes> {
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
    pub(crate) fn rest(&self) -> VecDeque<Utf8Bytes> {
        std::mem::take(&mut *self.replies())
    }

    fn replies(&self) -> MutexGuard<'_, VecDeque<Utf8Bytes>> {
        // No operation on the queue leaves it half done.
        self.replies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn a_full_outbox_makes_the_next_reply_wait() {
        let outbox = Outbox::with(None);
        for n in 0..MAX_REPLIES {
            outbox.put(n.to_string()).await;
        }
        let mut one_more = Box::pin(outbox.put("more".to_owned()));
        assert!(one_more.as_mut().now_or_never().is_none());
        assert_eq!(outbox.take().await.len(), MAX_REPLIES);
        one_more.await;
        assert_eq!(outbox.take().await, ["more"]);
        assert!(outbox.take().now_or_never().is_none());
    }
}
