//! The rooms that are open here; hands out seats.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use natter_log::port::{Log, LogError};
use natter_model::id::{ConversationId, Position};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::debug;

use crate::batches::Batches;
use crate::budget::Budget;
use crate::config::EdgeConfig;
use crate::gate::Gate;
use crate::metrics;
use crate::past::Past;
use crate::persistence::Persistence;
use crate::reader::Reader;
use crate::room::Room;
use crate::window::{State, Window};

/// Questions that may wait for the lobby; whoever has one more waits to ask.
const QUEUE: usize = 1024;
/// Longest wait for a room to find its place in the log.
const OPENING: Duration = Duration::from_secs(5);

/// The way to the one task that owns the map of rooms. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Lobby {
    questions: mpsc::Sender<Question>,
    log: Arc<dyn Log>,
    past: Arc<Past>,
    batches: Arc<Batches>,
}

/// A place in a room. Whoever holds it sees all that happens there; dropping it leaves.
pub(crate) struct Seat {
    /// The window to look through.
    pub window: watch::Receiver<Window>,
    /// What has left the window, or was never in it.
    pub reader: Reader,
    /// How much may be handed out at once.
    pub batches: Arc<Batches>,
}

/// Why there is no seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JoinError {
    /// The log does not answer.
    #[error("the log does not say where the conversation stands")]
    LogAway,
    /// The conversation was deleted a moment ago.
    #[error("the conversation is deleted")]
    Deleted,
    /// This edge is ending.
    #[error("the lobby is closed")]
    Closed,
}

enum Question {
    Join { conversation: ConversationId, answer: oneshot::Sender<watch::Receiver<Window>> },
    Close { conversation: ConversationId, answer: oneshot::Sender<bool> },
}

impl Lobby {
    /// Opens rooms over this log until `stop` is cancelled, which closes them all. What they do not keep is asked of
    /// `persistence`. Tells `gate` of conversations that are deleted, and of people who are removed.
    pub(crate) fn open(
        log: Arc<dyn Log>,
        persistence: Arc<Persistence>,
        gate: Gate,
        config: &EdgeConfig,
        stop: CancellationToken,
        tasks: &TaskTracker,
    ) -> Self {
        let (questions, asked) = mpsc::channel(QUEUE);
        let batches = Batches::new(config.batch_bytes, Budget::new(config.batches_bytes, metrics::batch_bytes()));
        let past = Arc::new(Past::new(Arc::clone(&log), persistence, config.pages_bytes));
        let lobby = Self { questions, log, past, batches };
        let rooms = Rooms {
            lobby: lobby.clone(),
            gate,
            max_frames: config.window_frames,
            of_all: Budget::new(config.windows_bytes, metrics::window_bytes()),
            linger: config.room_linger(),
            stop,
            tasks: tasks.clone(),
            windows: HashMap::new(),
        };
        tasks.spawn(rooms.run(asked));
        lobby
    }

    /// A seat in the conversation's room, which is opened if it is not. From now on nothing passes unseen. Waits some
    /// seconds at most.
    pub(crate) async fn join(&self, conversation: ConversationId) -> Result<Seat, JoinError> {
        let (answer, answered) = oneshot::channel();
        let question = Question::Join { conversation, answer };
        self.questions.send(question).await.map_err(|_| JoinError::Closed)?;
        let mut window = answered.await.map_err(|_| JoinError::Closed)?;
        let opened = window.wait_for(|window| window.state() != State::Opening);
        let state = match tokio::time::timeout(OPENING, opened).await {
            Ok(Ok(window)) => window.state(),
            Ok(Err(_)) => State::Closed,
            Err(_) => State::Opening,
        };
        match state {
            State::Open => Ok(Seat { window, reader: self.reader(conversation), batches: Arc::clone(&self.batches) }),
            State::Opening => Err(JoinError::LogAway),
            State::Deleted => Err(JoinError::Deleted),
            State::Closed => Err(JoinError::Closed),
        }
    }

    /// Lets go of pages that are too old to be used.
    pub(crate) async fn forget_the_old(&self) {
        self.past.forget_the_old().await;
    }

    fn reader(&self, conversation: ConversationId) -> Reader {
        Reader::new(Arc::clone(&self.past), conversation)
    }

    /// Resolves when the room may close: nobody has a seat, and nobody will get one.
    async fn deserted(&self, conversation: ConversationId, window: &watch::Sender<Window>, linger: Duration) {
        loop {
            Room::deserted(window, linger).await;
            // Boxed, because it is rare and a room should be small.
            if Box::pin(self.may_close(conversation)).await {
                return;
            }
        }
    }

    async fn may_close(&self, conversation: ConversationId) -> bool {
        let (answer, answered) = oneshot::channel();
        let asked = self.questions.send(Question::Close { conversation, answer }).await;
        asked.is_err() || answered.await.unwrap_or(true)
    }
}

impl Seat {
    /// Does the log go as far as this position?
    pub(crate) async fn has_reached(&self, position: Position) -> Result<bool, LogError> {
        // The window may lag behind what the client has heard through another edge.
        Ok(position <= self.window.borrow().head() || position <= self.reader.head().await?)
    }
}

/// What the lobby's task owns.
struct Rooms {
    lobby: Lobby,
    gate: Gate,
    max_frames: usize,
    of_all: Arc<Budget>,
    linger: Duration,
    stop: CancellationToken,
    tasks: TaskTracker,
    windows: HashMap<ConversationId, watch::Sender<Window>>,
}

impl Rooms {
    async fn run(mut self, mut asked: mpsc::Receiver<Question>) {
        let stop = self.stop.clone();
        while let Some(Some(question)) = stop.run_until_cancelled(asked.recv()).await {
            match question {
                Question::Join { conversation, answer } => {
                    // Whoever asked may have given up by now.
                    let _ = answer.send(self.join(conversation));
                }
                Question::Close { conversation, answer } => {
                    let _ = answer.send(self.close(conversation));
                }
            }
        }
    }

    fn join(&mut self, conversation: ConversationId) -> watch::Receiver<Window> {
        // A room that ended by itself is still in the map.
        let open = self.windows.get(&conversation).filter(|window| window.borrow().state() != State::Closed);
        match open {
            Some(window) => window.subscribe(),
            None => self.open_room(conversation),
        }
    }

    fn open_room(&mut self, conversation: ConversationId) -> watch::Receiver<Window> {
        let (window, seat) = watch::channel(Window::new(conversation, self.max_frames, &self.of_all));
        self.windows.insert(conversation, window.clone());
        let (log, reader) = (Arc::clone(&self.lobby.log), self.lobby.reader(conversation));
        let room = Room::new(conversation, log, reader, self.gate.clone(), window.clone());
        let (lobby, linger, stop) = (self.lobby.clone(), self.linger, self.stop.clone());
        let counted = metrics::room();
        self.tasks.spawn(async move {
            tokio::select! {
                () = room.follow() => {}
                () = lobby.deserted(conversation, &window, linger) => {}
                () = stop.cancelled() => {}
            }
            drop(counted);
            debug!(%conversation, "room closed");
        });
        debug!(%conversation, n_rooms = self.windows.len(), "room opened");
        seat
    }

    /// Does nothing and says no while somebody has a seat.
    fn close(&mut self, conversation: ConversationId) -> bool {
        let is_empty = self.windows.get(&conversation).is_none_or(|window| window.receiver_count() == 0);
        if is_empty {
            self.windows.remove(&conversation);
        }
        is_empty
    }
}
