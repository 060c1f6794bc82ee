//! What the edge program can be told.

use std::net::SocketAddr;

use natter_edge::config::EdgeConfig;
use natter_host::cli::HostConfig;
use natter_host::secret::{Secret, SigningKeyConfig};

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
    /// NATS servers, with commas between them.
    #[arg(long, env = "NATS_URL", hide_env_values = true, default_value = "nats://127.0.0.1:4222")]
    pub nats_url: Secret,
    /// Where authz serves gRPC.
    #[arg(long, env = "AUTHZ_URL", default_value = "http://127.0.0.1:50051")]
    pub authz_url: String,
    /// Where persistence serves gRPC.
    #[arg(long, env = "PERSISTENCE_URL", default_value = "http://127.0.0.1:50052")]
    pub persistence_url: String,
    /// The key of the tokens that are accepted.
    #[command(flatten)]
    pub signing_key: SigningKeyConfig,
    /// What every program has.
    #[command(flatten)]
    pub host: HostConfig,
}
