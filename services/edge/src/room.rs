//! Follows one conversation and fills its window.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use natter_log::port::{Feed, Heard, Log, LogError};
use natter_model::event::{Body, Entry};
use natter_model::id::{ConversationId, Position};
use natter_trace::spans;
use tokio::sync::watch;
use tracing::{Instrument as _, debug, warn};

use crate::gate::Gate;
use crate::metrics::missed;
use crate::reader::{Reader, patience};
use crate::window::{State, Window};

/// The task per conversation that somebody here looks at. It never waits for a client: it moves the window's head, and
/// each cursor follows at its own pace. Once it is gone, the window says so.
pub(crate) struct Room {
    conversation: ConversationId,
    log: Arc<dyn Log>,
    gate: Gate,
    reader: Reader,
    window: watch::Sender<Window>,
}

impl Room {
    /// A room that fills this window.
    pub(crate) fn new(
        conversation: ConversationId,
        log: Arc<dyn Log>,
        reader: Reader,
        gate: Gate,
        window: watch::Sender<Window>,
    ) -> Self {
        Self { conversation, log, gate, reader, window }
    }

    /// Resolves when nobody has looked for this long.
    pub(crate) async fn deserted(window: &watch::Sender<Window>, linger: Duration) {
        loop {
            window.closed().await;
            tokio::time::sleep(linger).await;
            if window.receiver_count() == 0 {
                return;
            }
        }
    }

    /// Follows for ever.
    pub(crate) async fn follow(&self) {
        let mut backoff = patience();
        while self.is_going_on() {
            match self.log.follow(self.conversation).await {
                Ok(feed) => {
                    backoff.reset();
                    self.listen(feed).await;
                }
                Err(error) => warn!(conversation = %self.conversation, %error, "cannot follow the conversation"),
            }
            Box::pin(backoff.wait()).await;
        }
        // The conversation is deleted, and the room stays to say so.
        pending::<()>().await;
    }

    async fn listen(&self, mut feed: Feed) {
        // After following, so that nothing falls between the two. Boxed, like all that is rare: a room should be small.
        if let Err(error) = Box::pin(self.catch_up()).await {
            warn!(conversation = %self.conversation, %error, "cannot tell where the conversation stands");
            return;
        }
        while self.is_going_on() {
            match feed.next().await {
                Some(Heard::Entry(entry, None)) => self.take(&entry).await,
                Some(Heard::Entry(entry, Some(cause))) => {
                    let span = spans::process("deliver", &cause, self.conversation, entry.position);
                    Box::pin(self.take(&entry)).instrument(span).await;
                }
                Some(Heard::Signal(signal)) => self.window.send_modify(|window| window.push_signal(&signal)),
                Some(Heard::Interrupted) => Box::pin(self.look_for_missed()).await,
                None => return,
            }
        }
    }

    async fn look_for_missed(&self) {
        let mut backoff = patience();
        while let Err(error) = self.catch_up().await {
            warn!(conversation = %self.conversation, %error, "cannot tell what was missed");
            backoff.wait().await;
        }
    }

    async fn catch_up(&self) -> Result<(), LogError> {
        let head = self.reader.head().await?;
        if self.state() != State::Opening {
            self.fill_up_to(head).await;
        } else if head == Position::START {
            // What was said here, if anything, has left the log or was imported. All of it stands before the log begins.
            let head = self.log.oldest().await?;
            self.window.send_modify(|window| window.open(head));
        } else if self.ends_at(head).await? {
            self.gate.forget_conversation(self.conversation).await;
            self.window.send_modify(|window| window.open_deleted(head));
        } else {
            self.window.send_modify(|window| window.open(head));
        }
        Ok(())
    }

    async fn ends_at(&self, head: Position) -> Result<bool, LogError> {
        match self.log.entry(head).await {
            Ok(last) => Ok(last.is_some_and(|entry| entry.event.body == Body::ConversationDeleted)),
            Err(LogError::Unreadable { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn take(&self, entry: &Entry) {
        if entry.position > self.head() && entry.previous > self.head() {
            Box::pin(self.fill_up_to(entry.previous)).await;
        }
        self.push(std::slice::from_ref(entry)).await;
    }

    /// Nobody sees a later event before those up to `goal` are in the window, or the window is begun anew behind them.
    async fn fill_up_to(&self, goal: Position) {
        if self.head() >= goal || !self.is_going_on() {
            return;
        }
        #[cfg(feature = "failpoints")]
        fail::fail_point!("edge::skip_gap_fill", |_| ());
        missed::gap_found();
        let mut n_entries = 0;
        while self.head() < goal && self.is_going_on() {
            let head = self.head();
            match self.reader.in_log(head).await {
                Some(missed) if !missed.is_empty() => {
                    n_entries += missed.len();
                    self.push(&missed).await;
                }
                // Only records that nobody can read.
                Some(_) => self.window.send_modify(|window| window.pass(goal)),
                None => {
                    warn!(conversation = %self.conversation, %head, %goal, "the log has let go of what was missed");
                    self.window.send_modify(|window| window.skip_to(goal));
                }
            }
        }
        debug!(conversation = %self.conversation, n_entries, "filled a gap");
        missed::gap_filled(n_entries);
    }

    async fn push(&self, entries: &[Entry]) {
        for entry in entries {
            // Before the sockets are closed, so that whoever comes again at once is not let in from memory.
            match entry.event.body {
                Body::ConversationDeleted => Box::pin(self.gate.forget_conversation(self.conversation)).await,
                Body::ParticipantRemoved => Box::pin(self.gate.forget(entry.event.actor.id, self.conversation)).await,
                Body::Posted { .. } | Body::Edited { .. } | Body::Deleted { .. } | Body::Read { .. } => {}
            }
        }
        self.window.send_modify(|window| entries.iter().for_each(|entry| window.push(entry)));
    }

    fn head(&self) -> Position {
        self.window.borrow().head()
    }

    fn state(&self) -> State {
        self.window.borrow().state()
    }

    fn is_going_on(&self) -> bool {
        matches!(self.state(), State::Opening | State::Open)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.window.send_modify(Window::close);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;
    use crate::lobby::JoinError;
    use crate::testing::{HERE, Stage, actor, until_head};

    fn positions(window: &Window) -> Vec<u64> {
        window.frames_from(0).expect("all are there").map(|frame| frame.position.get()).collect()
    }

    #[tokio::test]
    async fn a_gap_is_filled_before_anybody_sees_what_comes_after() {
        let stage = Stage::with_window(1000);
        let ana = actor(2, "ana");
        let seat = stage.seat().await;
        stage.post(&ana, "heard").await;
        until_head(&seat, Position::new(1)).await;
        stage.log.deafen(true);
        stage.post_all(&ana, 2..=400).await;
        stage.log.deafen(false);
        stage.post(&ana, "heard again").await;
        let mut window = seat.window.clone();
        while window.borrow_and_update().head() < Position::new(401) {
            window.changed().await.expect("the room is open");
            let seen = positions(&window.borrow());
            assert!(seen.iter().copied().eq(1..=seen.len() as u64), "{seen:?}");
        }
    }

    #[tokio::test]
    async fn a_gap_waits_for_a_log_that_cannot_be_read() {
        let stage = Stage::with_window(1000);
        let ana = actor(2, "ana");
        let seat = stage.seat().await;
        stage.log.deafen(true);
        stage.post(&ana, "missed").await;
        stage.log.seal(true);
        stage.log.deafen(false);
        stage.post(&ana, "heard").await;
        let mut failed = stage.log.n_failed.subscribe();
        failed.wait_for(|n_failed| *n_failed >= 2).await.expect("the log is there");
        assert_eq!(positions(&seat.window.borrow()), [0; 0]);
        stage.log.seal(false);
        until_head(&seat, Position::new(2)).await;
        assert_eq!(positions(&seat.window.borrow()), [1, 2]);
    }

    #[tokio::test]
    async fn a_room_opens_at_the_head_and_stays_while_somebody_looks() {
        let stage = Stage::with_window(8);
        let ana = actor(2, "ana");
        let head = stage.post(&ana, "before").await.position;
        let first = stage.seat().await;
        assert_eq!((first.window.borrow().head(), first.window.borrow().floor()), (head, head));
        let second = stage.seat().await;
        assert!(first.window.same_channel(&second.window));
    }

    #[tokio::test]
    async fn a_deleted_conversation_has_no_room() {
        let stage = Stage::with_window(8);
        let ana = actor(2, "ana");
        stage.post(&ana, "before").await;
        stage.actions.delete_conversation(&ana, HERE).await.expect("the log takes it");
        assert_eq!(stage.lobby.join(HERE).await.err(), Some(JoinError::Deleted));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_gets_a_seat_while_the_log_is_away() {
        let stage = Stage::with_window(8);
        stage.log.take_away(true);
        assert_eq!(stage.lobby.join(HERE).await.err(), Some(JoinError::LogAway));
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_room_lingers_and_closes() {
        let (window, seat) = watch::channel(Window::new(HERE, 8, &Budget::new(1 << 20, ::metrics::Gauge::noop())));
        let linger = Duration::from_secs(30);
        let begun = tokio::time::Instant::now();
        let deserted = Room::deserted(&window, linger);
        let leaving = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            drop(seat);
        };
        tokio::join!(deserted, leaving);
        assert_eq!(begun.elapsed(), Duration::from_secs(35));
    }
}
