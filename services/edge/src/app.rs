//! What every request can reach.

use std::sync::Arc;

use natter_identity::verifier::Verifier;
use natter_proto::v1::messages_client::MessagesClient;
use tonic::transport::Channel;

use crate::actions::Actions;
use crate::gate::Gate;
use crate::lobby::Lobby;
use crate::rest::media::Media;
use crate::sockets::Sockets;

/// The edge's state. Cheap to clone.
#[derive(Clone)]
pub(crate) struct App {
    /// Who may be where.
    pub gate: Gate,
    /// What participants can do.
    pub actions: Actions,
    /// What has been said.
    pub messages: MessagesClient<Channel>,
    /// Whose token is it?
    pub verifier: Arc<Verifier>,
    /// The open rooms.
    pub lobby: Lobby,
    /// The open sockets.
    pub sockets: Sockets,
    /// The files of messages. `None`: there are none.
    pub media: Option<Media>,
}
