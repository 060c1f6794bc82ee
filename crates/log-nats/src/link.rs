//! The line to NATS: made in the background, and again whenever it breaks.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::{Context, ContextBuilder};
use async_nats::{Client, ConnectOptions, Event, ServerAddr, connection};
use natter_log::port::LogError;
use natter_model::id::Position;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::api::PATIENCE;
use crate::end::{self, End};
use crate::layout::STREAM;

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

/// Why a URL is not one of NATS servers.
#[derive(Debug, thiserror::Error)]
#[error("not the URL of a NATS server (nats://host:port, several with commas): {0}")]
pub struct BadUrl(String);

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
    connects: watch::Receiver<u64>,
    _keeper: AbortOnDropHandle<()>,
}

impl Link {
    /// Begins to connect, and returns at once.
    pub(crate) async fn open(url: &str) -> Result<Self, BadUrl> {
        let woken = Arc::new(Notify::new());
        let wake = Arc::clone(&woken);
        let options = options()
            .retry_on_initial_connect()
            .reconnect_delay_callback(|attempts| {
                let doubled = FIRST_PAUSE * 2_u32.saturating_pow(attempts.min(10) as u32);
                jittered(doubled.min(LONGEST_PAUSE))
            })
            .event_callback(move |event| {
                if matches!(event, Event::Connected | Event::Disconnected | Event::Closed) {
                    wake.notify_one();
                }
                std::future::ready(())
            });
        let client = options.connect(servers(url)?).await.map_err(|error| BadUrl(error.to_string()))?;
        let context = context(client.clone());
        let (state_sender, state) = watch::channel(State::Connecting);
        let (connects_sender, connects) = watch::channel(0);
        let end = Arc::new(End::default());
        let keeper = Keeper {
            client: client.clone(),
            end: Arc::clone(&end),
            woken: Arc::clone(&woken),
            state: state_sender,
            connects: connects_sender,
        };
        let keeper = AbortOnDropHandle::new(tokio::spawn(keeper.run()));
        Ok(Self { client, context, end, woken, state, connects, _keeper: keeper })
    }

    pub(crate) fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// Changes whenever a line has been made anew; everything sent over the one before may be lost.
    pub(crate) fn connects(&self) -> watch::Receiver<u64> {
        self.connects.clone()
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
pub(crate) fn options() -> ConnectOptions {
    ConnectOptions::new()
        .name("natter")
        .subscription_capacity(QUEUE)
        .ping_interval(PING_EVERY)
        .connection_timeout(CONNECT)
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

/// The servers that a URL names.
pub(crate) fn servers(url: &str) -> Result<Vec<ServerAddr>, BadUrl> {
    url.split(',').map(server).collect()
}

fn server(url: &str) -> Result<ServerAddr, BadUrl> {
    let address = ServerAddr::from_str(url.trim()).map_err(|error| BadUrl(error.to_string()))?;
    if address.host().is_empty() { Err(BadUrl("no host is given".to_owned())) } else { Ok(address) }
}

/// Keeps an eye on the line, and tells how far it is.
struct Keeper {
    client: Client,
    end: Arc<End>,
    woken: Arc<Notify>,
    state: watch::Sender<State>,
    connects: watch::Sender<u64>,
}

impl Keeper {
    async fn run(self) {
        loop {
            let connects = end::line(&self.client);
            self.connects.send_if_modified(|known| std::mem::replace(known, connects) != connects);
            let state = if self.client.connection_state() == connection::State::Connected {
                tokio::select! {
                    state = self.look() => state,
                    () = self.woken.notified() => continue,
                }
            } else {
                State::Connecting
            };
            if self.state.send_if_modified(|known| std::mem::replace(known, state) != state) {
                Self::tell(state);
            }
            let pause = if state == State::Ready { LOOK_EVERY } else { LOOK_AGAIN_EVERY };
            // The client drops an event rather than wait, so events alone are not enough.
            let _ = timeout(pause, self.woken.notified()).await;
        }
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
                tracing::error!(log.known = %known, log.found = %found, "{state}");
            }
            State::Ready => tracing::info!("the log is ready"),
            State::Connecting | State::NoJetStream | State::NoStream => tracing::warn!("no log: {state}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_may_name_several_servers() {
        let servers = servers("nats://a:4222, tls://user:secret@b").expect("these are URLs");
        assert_eq!(servers.iter().map(ServerAddr::host).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn a_url_of_something_else_is_refused_and_not_repeated() {
        let refused = servers("http://user:secret@host").expect_err("this is no NATS server");
        assert!(!refused.to_string().contains("secret"), "{refused}");
        assert!(servers("").is_err());
    }
}
