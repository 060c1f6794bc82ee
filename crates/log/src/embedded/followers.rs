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

/// The followers of each conversation, and of all.
#[derive(Default)]
pub(super) struct Followers(Mutex<Present>);

#[derive(Default)]
struct Present {
    of_one: HashMap<ConversationId, Vec<Follower>>,
    /// By the name that they follow under.
    of_all: HashMap<String, Vec<Follower>>,
}

/// What is followed.
enum Place {
    One(ConversationId),
    All(String),
}

struct Follower {
    heard: mpsc::Sender<Boxed>,
    missed: Arc<Notify>,
}

impl Followers {
    /// What is told from now on about the conversation.
    pub(super) fn follow(followers: &Arc<Self>, conversation: ConversationId) -> Feed {
        Self::follow_place(followers, Place::One(conversation))
    }

    /// What is told from now on about all conversations; of those with the same name, one is told of a signal.
    pub(super) fn follow_all(followers: &Arc<Self>, name: &str) -> Feed {
        Self::follow_place(followers, Place::All(name.to_owned()))
    }

    fn follow_place(followers: &Arc<Self>, place: Place) -> Feed {
        let (heard, queue) = mpsc::channel(FEED);
        let missed = Arc::new(Notify::new());
        let follower = Follower { heard, missed: Arc::clone(&missed) };
        followers.lock().at(&place).push(follower);
        let following = Following { queue, missed, place, followers: Arc::clone(followers) };
        Feed::new(stream::unfold(following, |mut following| async move {
            let heard = following.next().await?;
            Some((heard, following))
        }))
    }

    /// Tells those who follow the conversation, and waits for none of them.
    pub(super) fn tell(&self, conversation: ConversationId, heard: &Heard) {
        let present = self.lock();
        for follower in present.of_one.get(&conversation).into_iter().flatten() {
            follower.tell(heard);
        }
        for sharing in present.of_all.values() {
            let n_told = if matches!(heard, Heard::Signal(_)) { 1 } else { sharing.len() };
            sharing.iter().filter(|follower| !follower.heard.is_closed()).take(n_told).for_each(|one| one.tell(heard));
        }
    }

    fn leave(&self, place: &Place) {
        let mut present = self.lock();
        let here = present.at(place);
        here.retain(|follower| !follower.heard.is_closed());
        if here.is_empty() {
            match place {
                Place::One(conversation) => drop(present.of_one.remove(conversation)),
                Place::All(name) => drop(present.of_all.remove(name)),
            }
        }
    }

    /// Ends all feeds.
    pub(super) fn close(&self) {
        *self.lock() = Present::default();
    }

    fn lock(&self) -> MutexGuard<'_, Present> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Present {
    fn at(&mut self, place: &Place) -> &mut Vec<Follower> {
        match place {
            Place::One(conversation) => self.of_one.entry(*conversation).or_default(),
            Place::All(name) => self.of_all.entry(name.clone()).or_default(),
        }
    }
}

impl Follower {
    fn tell(&self, heard: &Heard) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.heard.try_send(Box::new(heard.clone())) {
            self.missed.notify_one();
        }
    }
}

/// One follower's end.
struct Following {
    queue: mpsc::Receiver<Boxed>,
    missed: Arc<Notify>,
    place: Place,
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
        self.followers.leave(&self.place);
    }
}
