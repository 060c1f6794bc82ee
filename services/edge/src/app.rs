//! What every request can reach.

use std::sync::Arc;

use natter_host::calls::Calls;
use natter_proto::v1::messages_client::MessagesClient;

use crate::actions::Actions;
use crate::auth::Auth;
use crate::config::dialect::Dialect;
use crate::gate::Gate;
use crate::limits::Limits;
use crate::lobby::Lobby;
use crate::rest::media::Media;
use crate::sockets::Sockets;

/// The edge's state. Cheap to clone.
#[derive(Clone)]
pub(crate) struct App {
    /// Whose token is good?
    pub auth: Arc<Auth>,
    /// Who may be where.
    pub gate: Gate,
    /// What participants can do.
    pub actions: Actions,
    /// What has been said.
    pub messages: MessagesClient<Calls>,
    /// How much each client may ask.
    pub limits: Arc<Limits>,
    /// Proxies between the clients and here.
    pub n_proxies: u8,
    /// How REST answers.
    pub dialect: Dialect,
    /// The open rooms.
    pub lobby: Lobby,
    /// The open sockets.
    pub sockets: Sockets,
    /// The files of messages. `None`: there are none.
    pub media: Option<Media>,
}
