//! The knobs of persistence.

use std::net::SocketAddr;
use std::num::NonZero;

use natter_host::cli::HostConfig;
use natter_host::grpc::GrpcConfig;
use natter_host::nats::NatsConfig;
use natter_host::secret::Secret;

/// What the program can be told.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "natter-persistence", version, about = "Stores Natter's messages and tells them, over gRPC")]
pub struct PersistenceConfig {
    /// Address for gRPC. Port 0 takes a free one.
    #[arg(long, env = "PERSISTENCE_LISTEN", default_value = "0.0.0.0:50052")]
    pub listen: SocketAddr,
    /// Address for probes: /livez and /readyz. Port 0 takes a free one.
    #[arg(long, env = "PERSISTENCE_OPS_LISTEN", default_value = "0.0.0.0:9092")]
    pub ops_listen: SocketAddr,
    /// Postgres that holds the messages, such as `postgres://natter:secret@db/natter`.
    #[arg(long, env = "PERSISTENCE_DATABASE_URL", hide_env_values = true)]
    pub database_url: Secret,
    /// Where the log is.
    #[command(flatten)]
    pub nats: NatsConfig,
    /// Records that are stored in one transaction, at most. At 500 the transaction's own cost no longer shows.
    #[arg(long, env = "PERSISTENCE_BATCH_RECORDS", default_value = "500")]
    pub batch_records: NonZero<u16>,
    /// How it serves gRPC.
    #[command(flatten)]
    pub grpc: GrpcConfig,
    /// What every program has.
    #[command(flatten)]
    pub host: HostConfig,
}
