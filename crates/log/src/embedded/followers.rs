//! Who follows which conversation in this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::stream;
use natter_model::id::ConversationId;
use tokio::sync::{Notify, mpsc};

use crate::port::{Feed, Heard};

/// What one follower may have waiting. Beyond it the newest is left out, and the follower hears
/// [`Heard::Interrupted`] once it has caught up with what is there.
const FEED: usize = 256;

/// Boxed, because a queue sets room aside for 32 of what it holds, and most conversations are silent.
type Boxed = Box<Heard>;

/// The followers of each conversation.
#[derive(Default)]
pub(super) struct Followers(Mutex<HashMap<ConversationId, Vec<Follower>>>);

struct Follower {
    heard: mpsc::Sender<Boxed>,
    missed: Arc<Notify>,
}

impl Followers {
    /// What is told from now on about the conversation.
    pub(super) fn follow(followers: &Arc<Self>, conversation: ConversationId) -> Feed {
        let (heard, queue) = mpsc::channel(FEED);
        let missed = Arc::new(Notify::new());
        followers.lock().entry(conversation).or_default().push(Follower { heard, missed: Arc::clone(&missed) });
        let following = Following { queue, missed, conversation, followers: Arc::clone(followers) };
        Feed::new(stream::unfold(following, |mut following| async move {
            let heard = following.next().await?;
            Some((heard, following))
        }))
    }

    /// Tells those who follow the conversation, and waits for none of them.
    pub(super) fn tell(&self, conversation: ConversationId, heard: &Heard) {
        for follower in self.lock().get(&conversation).into_iter().flatten() {
            if let Err(mpsc::error::TrySendError::Full(_)) = follower.heard.try_send(Box::new(heard.clone())) {
                follower.missed.notify_one();
            }
        }
    }

    fn leave(&self, conversation: ConversationId) {
        let mut followers = self.lock();
        if let Some(here) = followers.get_mut(&conversation) {
            here.retain(|follower| !follower.heard.is_closed());
            if here.is_empty() {
                followers.remove(&conversation);
            }
        }
    }

    /// Ends all feeds.
    pub(super) fn close(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConversationId, Vec<Follower>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One follower's end.
struct Following {
    queue: mpsc::Receiver<Boxed>,
    missed: Arc<Notify>,
    conversation: ConversationId,
    followers: Arc<Followers>,
}

impl Following {
    async fn next(&mut self) -> Option<Heard> {
        tokio::select! {
            // What is in the queue came before what was left out.
            biased;
            heard = self.queue.recv() => heard.map(|heard| *heard),
            () = self.missed.notified() => Some(Heard::Interrupted),
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.queue.close();
        self.followers.leave(self.conversation);
    }
}
