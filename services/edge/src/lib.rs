//! The edge: where clients connect. It keeps no data; the log is the truth, and a connection is a cursor over it.

mod access;
mod actions;
mod app;
mod auth;
mod batches;
mod breaker;
mod bucket;
mod budget;
mod client_address;
pub mod config;
mod connection;
mod cursor;
mod door;
mod frame;
mod gate;
mod goodbye;
mod http;
mod limits;
mod listener;
mod lobby;
mod logins;
mod metrics;
mod outbox;
mod page;
mod pass;
mod past;
mod persistence;
mod pulse;
mod reader;
mod request_span;
mod resend;
mod rest;
mod retry;
mod rights;
mod room;
mod session;
mod sockets;
#[cfg(test)]
mod testing;
mod turnstile;
mod upgrade;
mod window;

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use natter_host::calls::Calls;
use natter_keys::Tokens;
use natter_log::port::Log;
use natter_proto::v1::authz_client::AuthzClient;
use natter_proto::v1::messages_client::MessagesClient;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::info;

use crate::actions::Actions;
use crate::app::App;
use crate::auth::Auth;
use crate::config::EdgeConfig;
use crate::door::Door;
use crate::gate::Gate;
use crate::limits::Limits;
use crate::listener::Bounds;
use crate::lobby::Lobby;
use crate::persistence::Persistence;
use crate::rest::media::Media;
use crate::rights::Rights;
use crate::sockets::Sockets;

/// Why an edge that [is crowded](Edge::is_crowded) is not ready.
pub const CROWDED: &str = "it has almost as many connections as it may";

/// Time between two looks for what is remembered and too old to be used. Otherwise it would be kept until there is new.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// What an edge stands on.
pub struct Ports {
    /// Where events go to and come from.
    pub log: Arc<dyn Log>,
    /// Leads to authz. Calls over it have a deadline.
    pub authz: Calls,
    /// Leads to persistence. Calls over it have a deadline.
    pub messages: Calls,
    /// Whose tokens are accepted.
    pub tokens: Tokens,
}

/// An edge that has its port, and serves once told to.
pub struct Edge {
    listener: TcpListener,
    door: Door,
    address: SocketAddr,
    config: EdgeConfig,
    media: Option<Media>,
    ports: Ports,
    is_crowded: watch::Sender<bool>,
    rights: Rights,
}

/// What the edge was told to use cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The listening address.
    #[error("cannot listen on {address}: {source}")]
    Address {
        /// Which address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The folder for attachments.
    #[error("cannot keep attachments in {}: {source}", root.display())]
    MediaRoot {
        /// Which folder.
        root: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl Edge {
    /// Takes the listening address. Clients that connect wait until [`Edge::serve`].
    pub async fn bind(config: EdgeConfig, ports: Ports) -> Result<Self, BindError> {
        metrics::describe(&config);
        let media = config.media_root.as_deref().map(|root| {
            Media::open(root, config.attachment_max_bytes)
                .map_err(|source| BindError::MediaRoot { root: root.to_owned(), source })
        });
        let media = media.transpose()?;
        let refused = |source| BindError::Address { address: config.listen, source };
        let listener = listener::bind(config.listen).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self {
            listener,
            door: Door::open(),
            address,
            config,
            media,
            ports,
            is_crowded: watch::Sender::new(false),
            rights: Rights::new(),
        })
    }

    /// The address it got.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether new clients had better go elsewhere: it has almost as many sockets as it may.
    pub fn is_crowded(&self) -> watch::Receiver<bool> {
        self.is_crowded.subscribe()
    }

    /// Resolves, while it serves, once it knows which rights have ended: before, it may not know revoked tokens as such.
    pub fn knows_rights(&self) -> impl Future<Output = ()> + Send + 'static {
        let rights = self.rights.clone();
        async move { rights.known().await }
    }

    /// Serves until `drain` is cancelled, then closes every socket, and returns when the last one is gone.
    pub async fn serve(self, drain: CancellationToken, tasks: TaskTracker) {
        let stop_rooms = CancellationToken::new();
        let _stop_rooms_in_any_case = stop_rooms.clone().drop_guard();
        let Ports { log, authz, messages, tokens: good_tokens } = self.ports;
        let messages = MessagesClient::new(messages);
        let stop = CancellationToken::new();
        let sockets = Sockets::new(&self.config, stop.clone(), self.is_crowded);
        let bounds = Bounds { max_connections: self.config.max_connections, unsent_bytes: self.config.unsent_bytes };
        let (delay, spread) = (self.config.drain_delay(), self.config.drain_spread());
        let gate = Gate::new(AuthzClient::new(authz), &self.config);
        let persistence = Arc::new(Persistence::new(messages.clone()));
        let lobby =
            Lobby::open(Arc::clone(&log), Arc::clone(&persistence), gate.clone(), &self.config, stop_rooms, &tasks);
        let rights = self.rights;
        let auth = Auth { tokens: good_tokens, gate: gate.clone(), rights: rights.clone() };
        let app = App {
            auth: Arc::new(auth),
            gate: gate.clone(),
            actions: Actions::new(log, persistence, messages.clone()),
            messages,
            lobby: lobby.clone(),
            limits: Limits::new(&self.config.limits),
            n_proxies: self.config.limits.proxies,
            dialect: self.config.dialect,
            sockets: sockets.clone(),
            media: self.media,
        };
        let serving = async {
            listener::serve(self.listener, http::router(app), bounds, stop.clone(), self.door.handle()).await;
            // A handshake that was answered at the last moment is counted already.
            sockets.gone().await;
            info!("all sockets are gone");
        };
        let draining = async {
            drain.cancelled().await;
            if !delay.is_zero() {
                info!(
                    delay_seconds = delay.as_secs(),
                    "clients are taken until those who send them here know of the end"
                );
                tokio::time::sleep(delay).await;
            }
            info!(n_sockets = sockets.len(), spread_seconds = spread.as_secs(), "sockets are told to go elsewhere");
            stop.cancel();
            pending::<()>().await;
        };
        let sweeping = async {
            let mut ticks = tokio::time::interval(SWEEP_EVERY);
            loop {
                ticks.tick().await;
                gate.forget_the_old().await;
                lobby.forget_the_old().await;
            }
        };
        tokio::select! {
            () = serving => {}
            () = draining => {}
            () = sweeping => {}
            () = rights.follow(&gate) => {}
        }
    }
}
