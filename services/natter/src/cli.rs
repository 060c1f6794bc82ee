//! What the program can be told.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use natter_host::cli::HostConfig;
use natter_host::secret::{Secret, SigningKeyConfig};
use natter_host::telemetry::TelemetryConfig;

#[derive(Debug, Parser)]
#[command(
    name = "natter",
    version,
    about = "A chat server. Without a command: everything in this one process.",
    args_conflicts_with_subcommands = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) serve: ServeConfig,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Creates or checks the NATS stream and its consumer. May be run again at any time.
    Provision(ProvisionConfig),
    /// Creates or updates the Postgres tables. May be run again at any time.
    Migrate(MigrateConfig),
    /// Looks after accounts.
    Account {
        #[command(subcommand)]
        command: AccountCommand,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Makes an account. Its password is asked for, or read from standard input.
    Create(AccountConfig),
}

#[derive(Debug, Args)]
pub(crate) struct ServeConfig {
    /// Address for clients. Loopback, because a first try is nobody else's business. Port 0 takes a free one.
    #[arg(long, env = "NATTER_LISTEN", default_value = "127.0.0.1:8000")]
    pub(crate) listen: SocketAddr,
    /// Address for probes: /livez and /readyz. Without it there are none. Port 0 takes a free one.
    #[arg(long, env = "NATTER_OPS_LISTEN")]
    pub(crate) ops_listen: Option<SocketAddr>,
    /// Folder for all data. Made if it is not there.
    #[arg(long, env = "NATTER_DATA", default_value = DEFAULT_DATA)]
    pub(crate) data: PathBuf,
    /// Leaves out the demo accounts, which are otherwise made on the first start if only this machine can connect.
    #[arg(long)]
    pub(crate) no_demo: bool,
    /// First position of a new log, so that ids go on behind those of imported messages.
    #[arg(long, env = "NATTER_FIRST_SEQUENCE", hide = true, default_value_t = 1)]
    pub(crate) first_sequence: u64,
    /// Without a key, a random one is kept in the data folder.
    #[command(flatten)]
    pub(crate) signing_key: SigningKeyConfig,
    #[command(flatten)]
    pub(crate) host: HostConfig,
}

#[derive(Debug, Args)]
pub(crate) struct ProvisionConfig {
    /// NATS server that shall hold the log; several are separated by commas.
    #[arg(long, env = "NATS_URL", hide_env_values = true, default_value = "nats://127.0.0.1:4222")]
    pub(crate) nats_url: Secret,
    /// Servers that keep each record, at most 5; with 3, one may be lost. Unless given, a new log has 1, and one that is
    /// there keeps what it has.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=5))]
    pub(crate) replicas: Option<u8>,
    /// First position of a new log: behind the highest id of messages that will be imported.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) first_sequence: u64,
    #[command(flatten)]
    pub(crate) telemetry: TelemetryConfig,
}

#[derive(Debug, Args)]
#[group(id = "databases", required = true, multiple = true, args = ["authz_database_url", "persistence_database_url"])]
pub(crate) struct MigrateConfig {
    /// Postgres for accounts and conversations.
    #[arg(long, env = "AUTHZ_DATABASE_URL", hide_env_values = true)]
    pub(crate) authz_database_url: Option<Secret>,
    /// Postgres for messages.
    #[arg(long, env = "PERSISTENCE_DATABASE_URL", hide_env_values = true)]
    pub(crate) persistence_database_url: Option<Secret>,
    #[command(flatten)]
    pub(crate) telemetry: TelemetryConfig,
}

#[derive(Debug, Args)]
pub(crate) struct AccountConfig {
    /// Letters, digits and `@.+-_`, up to 150 of them.
    pub(crate) username: String,
    /// E-mail address, with which the account may also log in.
    #[arg(long, default_value = "")]
    pub(crate) email: String,
    /// What the account is on the platform around the chat, such as `trainer`. May be given several times.
    #[arg(long = "profile-type")]
    pub(crate) profile_types: Vec<String>,
    /// Reads the password from standard input, up to the end of its first line, instead of asking.
    #[arg(long)]
    pub(crate) password_stdin: bool,
    /// Data folder of a Natter in one process, which may be running.
    #[arg(long, env = "NATTER_DATA", default_value = DEFAULT_DATA)]
    pub(crate) data: PathBuf,
    /// Postgres for accounts, of a Natter of several processes. Goes before the data folder.
    #[arg(long, env = "AUTHZ_DATABASE_URL", hide_env_values = true)]
    pub(crate) authz_database_url: Option<Secret>,
    #[command(flatten)]
    pub(crate) telemetry: TelemetryConfig,
}

const DEFAULT_DATA: &str = "./natter-data";
