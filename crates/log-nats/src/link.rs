//! The line to NATS: made in the background, and again whenever it breaks.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::{Context, ContextBuilder};
use async_nats::{Client, ConnectOptions, Event, connection};
use natter_log::port::LogError;
use natter_model::id::Position;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::access::{Access, BadUrl};
use crate::api::PATIENCE;
use crate::end::{self, End};
use crate::layout::STREAM;
use crate::metrics;

/// Messages that wait for one subscriber in this process. Beyond it NATS's client leaves out the newest.
pub(crate) const QUEUE: usize = 1024;
/// The first pause before trying to connect again.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause between two tries to connect: short, since a new server is up within seconds.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// A line that is dead without having been closed, or whose server hangs, is left at the third of these without an answer.
const PING_EVERY: Duration = Duration::from_secs(3);
/// Longest wait until a server that takes the connection says what it is; one that hangs does not.
const CONNECT: Duration = Duration::from_secs(3);
/// How often a line that is up is looked at without a cause.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often it is looked at while something is missing.
const LOOK_AGAIN_EVERY: Duration = Duration::from_millis(250);

/// How far the line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// No NATS server can be reached yet, or not any more.
    Connecting,
    /// NATS is there, but its JetStream does not answer yet.
    NoJetStream,
    /// JetStream is there, but not the stream: `natter provision` has not run.
    NoStream,
    /// The stream has lost its tail, or was made anew: nothing is appended, until `natter repair` has run.
    WentBackwards {
        /// The highest position that it is known to have come to.
        known: Position,
        /// Where it ends now.
        found: Position,
    },
    /// Everything is there.
    Ready,
}

impl State {
    /// Or what is missing.
    pub fn is_ready(self) -> Result<(), Self> {
        if self == Self::Ready { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connecting => f.write_str("connecting to NATS"),
            Self::NoJetStream => f.write_str("JetStream does not answer"),
            Self::NoStream => write!(f, "NATS has no stream {STREAM}: run `natter provision`"),
            Self::WentBackwards { known, found } => LogError::WentBackwards { known: *known, found: *found }.fmt(f),
            Self::Ready => f.write_str("ready"),
        }
    }
}

/// A connection that is kept up. Dropping it ends its task.
pub(crate) struct Link {
    pub(crate) client: Client,
    pub(crate) context: Context,
    pub(crate) end: Arc<End>,
    woken: Arc<Notify>,
    state: watch::Receiver<State>,
    interruptions: watch::Receiver<u64>,
    _keeper: AbortOnDropHandle<()>,
}

impl Link {
    /// Begins to connect, and returns at once.
    pub(crate) async fn open(access: &Access) -> Result<Self, BadUrl> {
        metrics::describe();
        let woken = Arc::new(Notify::new());
        let wake = Arc::clone(&woken);
        let options = options(access)
            .retry_on_initial_connect()
            .reconnect_delay_callback(|attempts| {
                let doubled = FIRST_PAUSE * 2_u32.saturating_pow(attempts.min(10) as u32);
                jittered(doubled.min(LONGEST_PAUSE))
            })
            .event_callback(move |event| {
                match event {
                    Event::Connected | Event::Disconnected | Event::Closed => wake.notify_one(),
                    // Such as a subject that this user has no right to.
                    Event::ServerError(error) => tracing::warn!(%error, "NATS refuses"),
                    _ => {}
                }
                std::future::ready(())
            });
        let client = options.connect(access.servers()?).await.map_err(|error| BadUrl(error.to_string()))?;
        let context = context(client.clone());
        let (state_sender, state) = watch::channel(State::Connecting);
        let (interruptions_sender, interruptions) = watch::channel(0);
        let end = Arc::new(End::default());
        let keeper = Keeper {
            client: client.clone(),
            end: Arc::clone(&end),
            woken: Arc::clone(&woken),
            state: state_sender,
            interruptions: interruptions_sender,
        };
        let keeper = AbortOnDropHandle::new(tokio::spawn(keeper.run()));
        Ok(Self { client, context, end, woken, state, interruptions, _keeper: keeper })
    }

    pub(crate) fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// Changes whenever a line has been made anew, since everything sent over the one before may be lost; and when another
    /// server leads the stream, since what the one before took in at last may never have been republished.
    pub(crate) fn interruptions(&self) -> watch::Receiver<u64> {
        self.interruptions.clone()
    }

    /// Which line it is, of those that were made so far.
    pub(crate) fn line(&self) -> u64 {
        end::line(&self.client)
    }

    /// Whether a server is connected right now.
    pub(crate) fn is_up(&self) -> Result<(), LogError> {
        match self.client.connection_state() {
            connection::State::Connected => Ok(()),
            _ => Err(LogError::Unavailable(State::Connecting.to_string())),
        }
    }

    /// Waits until a server is connected.
    pub(crate) async fn up(&self) {
        let mut state = self.state.clone();
        while self.is_up().is_err() {
            // Only the keeper sends, and it lives as long as this.
            let _ = timeout(LOOK_EVERY, state.changed()).await;
        }
    }

    /// Waits until a server is connected, but not long.
    pub(crate) async fn up_soon(&self) -> Result<(), LogError> {
        timeout(PATIENCE, self.up()).await.map_err(|_| LogError::Unavailable(State::Connecting.to_string()))
    }

    /// Waits until the stream was looked at over the line that is up, but not long. See [`End::verified`].
    pub(crate) async fn verified(&self) -> Result<Position, LogError> {
        self.up_soon().await?;
        self.end.verified(&self.client, PATIENCE).await
    }

    /// Has the line looked at without waiting for the next time.
    pub(crate) fn look_soon(&self) {
        self.woken.notify_one();
    }
}

/// The parts of a connection's options that all share.
pub(crate) fn options(access: &Access) -> ConnectOptions {
    access.options().subscription_capacity(QUEUE).ping_interval(PING_EVERY).connection_timeout(CONNECT)
}

/// Between half of it and all of it, so that processes that lost the same server do not come back all at once.
pub(crate) fn jittered(pause: Duration) -> Duration {
    rand::random_range(pause / 2..=pause)
}

/// What the client does, or an error if it does not get to it: it waits while its queue to a server that hangs is full.
pub(crate) async fn in_time<T, E: fmt::Display>(doing: impl Future<Output = Result<T, E>>) -> Result<T, LogError> {
    match timeout(PATIENCE, doing).await {
        Ok(done) => done.map_err(|error| LogError::Unavailable(error.to_string())),
        Err(_) => Err(LogError::Unavailable("NATS takes nothing in".to_owned())),
    }
}

fn context(client: Client) -> Context {
    ContextBuilder::new().timeout(PATIENCE).build(client)
}

/// Keeps an eye on the line, and tells how far it is.
struct Keeper {
    client: Client,
    end: Arc<End>,
    woken: Arc<Notify>,
    state: watch::Sender<State>,
    interruptions: watch::Sender<u64>,
}

impl Keeper {
    async fn run(self) {
        loop {
            self.tell_of_interruptions();
            let state = if self.client.connection_state() == connection::State::Connected {
                tokio::select! {
                    state = self.look() => state,
                    () = self.woken.notified() => continue,
                }
            } else {
                State::Connecting
            };
            self.tell_of_interruptions();
            metrics::line(end::line(&self.client), state);
            if self.state.send_if_modified(|known| std::mem::replace(known, state) != state) {
                Self::tell(state);
            }
            let pause = if state == State::Ready { LOOK_EVERY } else { LOOK_AGAIN_EVERY };
            // The client drops an event rather than wait, so events alone are not enough.
            let _ = timeout(pause, self.woken.notified()).await;
        }
    }

    /// Both only grow, so their sum changes whenever one of them does.
    fn tell_of_interruptions(&self) {
        let now = end::line(&self.client) + self.end.n_successions();
        self.interruptions.send_if_modified(|known| std::mem::replace(known, now) != now);
    }

    async fn look(&self) -> State {
        match self.end.look(&self.client).await {
            Ok(_) => State::Ready,
            Err(LogError::WentBackwards { known, found }) => State::WentBackwards { known, found },
            Err(LogError::NotProvisioned(_)) => State::NoStream,
            Err(_) => State::NoJetStream,
        }
    }

    fn tell(state: State) {
        match state {
            State::WentBackwards { known, found } => {
                tracing::error!(%known, %found, "{state}");
            }
            State::Ready => tracing::info!("the log is ready"),
            State::Connecting | State::NoJetStream | State::NoStream => tracing::warn!("no log: {state}"),
        }
    }
}
