//! The knobs of authz.

use std::net::SocketAddr;
use std::time::Duration;

use natter_host::cli::HostConfig;
use natter_host::grpc::GrpcConfig;
use natter_host::nats::NatsConfig;
use natter_host::secret::Secret;
use natter_identity::minter::Lifetimes;
use natter_keys::config::TokenConfig;

/// What the program can be told.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "natter-authz", version, about = "Natter's accounts, participants and tokens, over gRPC")]
pub struct AuthzConfig {
    /// Address for gRPC. Port 0 takes a free one.
    #[arg(long, env = "AUTHZ_LISTEN", default_value = "0.0.0.0:50051")]
    pub listen: SocketAddr,
    /// Address for probes: /livez and /readyz. Port 0 takes a free one.
    #[arg(long, env = "AUTHZ_OPS_LISTEN", default_value = "0.0.0.0:9091")]
    pub ops_listen: SocketAddr,
    /// Postgres that holds accounts and conversations, such as `postgres://natter:secret@db/natter`.
    #[arg(long, env = "AUTHZ_DATABASE_URL", hide_env_values = true)]
    pub database_url: Secret,
    /// The log is told of participants who were removed.
    #[command(flatten)]
    pub nats: NatsConfig,
    /// What tokens are signed with, and whose are taken back.
    #[command(flatten)]
    pub tokens: TokenConfig,
    /// Seconds that an access token is good for. An hour, as in the Django chat. Its socket is closed then.
    #[arg(long, env = "AUTHZ_ACCESS_SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u32).range(1..))]
    pub access_seconds: u32,
    /// Seconds that a refresh token is good for. Two days, as in the Django chat.
    #[arg(long, env = "AUTHZ_REFRESH_SECONDS", default_value_t = 172_800, value_parser = clap::value_parser!(u32).range(1..))]
    pub refresh_seconds: u32,
    /// How it serves gRPC.
    #[command(flatten)]
    pub grpc: GrpcConfig,
    /// What every program has.
    #[command(flatten)]
    pub host: HostConfig,
}

impl AuthzConfig {
    /// How long tokens are good for.
    pub fn lifetimes(&self) -> Lifetimes {
        Lifetimes {
            access: Duration::from_secs(self.access_seconds.into()),
            refresh: Duration::from_secs(self.refresh_seconds.into()),
        }
    }
}
