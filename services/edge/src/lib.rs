//! The edge: where clients connect. It keeps no data; the log is the truth, and a connection is a cursor over it.

mod actions;
mod app;
pub mod config;
mod connection;
mod cursor;
mod frame;
mod gate;
mod goodbye;
mod http;
mod listener;
mod lobby;
mod outbox;
mod reader;
mod rest;
mod room;
mod session;
mod sockets;
#[cfg(test)]
mod testing;
mod upgrade;
mod window;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use natter_identity::verifier::Verifier;
use natter_log::port::Log;
use natter_proto::v1::authz_client::AuthzClient;
use natter_proto::v1::messages_client::MessagesClient;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::Channel;

use crate::actions::Actions;
use crate::app::App;
use crate::config::EdgeConfig;
use crate::gate::Gate;
use crate::lobby::Lobby;
use crate::rest::media::Media;
use crate::sockets::Sockets;

/// What an edge stands on.
pub struct Ports {
    /// Where events go to and come from.
    pub log: Arc<dyn Log>,
    /// Leads to authz. Calls over it have a deadline.
    pub authz: Channel,
    /// Leads to persistence. Calls over it have a deadline.
    pub messages: Channel,
    /// Whose tokens are accepted.
    pub verifier: Verifier,
}

/// An edge that has its port, and serves once told to.
pub struct Edge {
    listener: TcpListener,
    address: SocketAddr,
    config: EdgeConfig,
    media: Option<Media>,
    ports: Ports,
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
        let media = config.media_root.as_deref().map(|root| {
            Media::open(root, config.attachment_max_bytes)
                .map_err(|source| BindError::MediaRoot { root: root.to_owned(), source })
        });
        let media = media.transpose()?;
        let refused = |source| BindError::Address { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self { listener, address, config, media, ports })
    }

    /// The address it got.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `drain` is cancelled, then closes every socket, and returns when the last one is gone.
    pub async fn serve(self, drain: CancellationToken, tasks: TaskTracker) {
        let stop_rooms = CancellationToken::new();
        let _stop_rooms_in_any_case = stop_rooms.clone().drop_guard();
        let Ports { log, authz, messages, verifier } = self.ports;
        let messages = MessagesClient::new(messages);
        let sockets = Sockets::new(&self.config, drain.clone());
        let max_connections = self.config.max_connections;
        let gate = Gate::new(AuthzClient::new(authz), &self.config);
        let app = App {
            gate: gate.clone(),
            actions: Actions::new(Arc::clone(&log), messages.clone()),
            messages,
            verifier: Arc::new(verifier),
            lobby: Lobby::open(log, gate.clone(), &self.config, stop_rooms, &tasks),
            sockets: sockets.clone(),
            media: self.media,
        };
        let serving = async {
            listener::serve(self.listener, http::router(app), max_connections, drain).await;
            // A handshake that was answered at the last moment is counted already.
            sockets.gone().await;
        };
        tokio::select! {
            () = serving => {}
            () = gate.forget_the_old() => {}
        }
    }
}
