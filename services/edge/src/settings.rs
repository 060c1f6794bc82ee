//! What the edge program can be told.

use std::net::SocketAddr;

use natter_edge::config::EdgeConfig;
use natter_host::cli::HostConfig;
use natter_host::nats::NatsConfig;
use natter_host::peer::PeerConfig;
use natter_keys::config::TokenConfig;

/// What the program can be told.
#[derive(Debug, clap::Parser)]
#[command(name = "natter-edge", version, about = "Where Natter's clients connect: WebSocket and REST")]
pub(crate) struct Settings {
    /// What every edge can be told.
    #[command(flatten)]
    pub edge: EdgeConfig,
    /// Address for probes: /livez and /readyz. Port 0 takes a free one.
    #[arg(long, env = "EDGE_OPS_LISTEN", default_value = "0.0.0.0:9090")]
    pub ops_listen: SocketAddr,
    /// Where the log is.
    #[command(flatten)]
    pub nats: NatsConfig,
    /// Where authz serves gRPC.
    #[arg(long, env = "AUTHZ_URL", default_value = "http://127.0.0.1:50051")]
    pub authz_url: String,
    /// Where persistence serves gRPC.
    #[arg(long, env = "PERSISTENCE_URL", default_value = "http://127.0.0.1:50052")]
    pub persistence_url: String,
    /// How their addresses are kept.
    #[command(flatten)]
    pub peers: PeerConfig,
    /// Whose tokens are accepted.
    #[command(flatten)]
    pub tokens: TokenConfig,
    /// What every program has.
    #[command(flatten)]
    pub host: HostConfig,
}
