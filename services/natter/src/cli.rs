//! What the program can be told.

pub(crate) mod django;
pub(crate) mod import;
pub(crate) mod mirror;
pub(crate) mod top;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use natter_edge::config::dialect::Dialect;
use natter_edge::config::limits::LimitsConfig;
use natter_host::cli::HostConfig;
use natter_host::secret::Secret;
use natter_host::telemetry::TelemetryConfig;
use natter_keys::config::TokenConfig;
use natter_log_nats::NatsConfig;

use self::import::ImportConfig;
use self::mirror::MirrorConfig;
use self::top::TopConfig;

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
    /// Mends a log that lost its tail or was made anew, so that no position is given out twice: puts back what the store
    /// has of it, and fills the rest. May be run at any time; a Natter in one process has to be stopped for it.
    Repair(RepairConfig),
    /// Compares the log with the store, and ends with 1 if they differ. Changes nothing unless told to, and may be run
    /// while people chat; a Natter in one process has to be stopped for it.
    Verify(VerifyConfig),
    /// Brings accounts, conversations and messages over from a Django Channels chat. May be run again at any time.
    ImportDjango(Box<ImportConfig>),
    /// Writes what is said in Natter into a Django Channels chat's own tables, with the same ids, until it is stopped.
    MirrorDjango(Box<MirrorConfig>),
    /// Shows what a running system does: connections, rates, latencies, lag. From its ops ports, every second.
    Top(TopConfig),
    /// Takes tokens back before they expire.
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Looks after those who take part in a conversation.
    Participant {
        #[command(subcommand)]
        command: ParticipantCommand,
    },
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

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Revokes a token, which is asked for or read from standard input; or one by its id, or all of an account. Its sockets
    /// are closed within a second.
    Revoke(RevokeConfig),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ParticipantCommand {
    /// Ends somebody's part in a conversation. Returns once they get nothing that is said from then on.
    Remove(RemoveConfig),
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
    /// First position of a new log: behind the highest id of messages that will be imported, with room for more.
    #[arg(long, env = "NATTER_FIRST_SEQUENCE", default_value_t = 1)]
    pub(crate) first_sequence: u64,
    /// How REST answers, and what tokens tell: as the Django chat at the time of the seed, or as in its later commits, whose
    /// front end needs that. Sockets say the keys of both at once.
    #[arg(long, env = "NATTER_DIALECT", default_value_t = Dialect::Seed, value_enum)]
    pub(crate) dialect: Dialect,
    /// Without a signing key, a random one is kept in the data folder.
    #[command(flatten)]
    pub(crate) tokens: TokenConfig,
    /// How much one client may ask.
    #[command(flatten)]
    pub(crate) limits: LimitsConfig,
    #[command(flatten)]
    pub(crate) host: HostConfig,
}

#[derive(Debug, Args)]
pub(crate) struct ProvisionConfig {
    #[command(flatten)]
    pub(crate) nats: NatsConfig,
    /// Servers that keep each record, at most 5; with 3, one may be lost. Unless given, a new log has 1, and one that is
    /// there keeps what it has.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=5))]
    pub(crate) replicas: Option<u8>,
    /// First position of a new log: behind the highest id of what will be imported, with room for more. For a Django chat
    /// that goes on for a while, 1099511627776 leaves all the room there is.
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

/// Where a log and its store are.
#[derive(Debug, Clone, Args)]
pub(crate) struct PairConfig {
    /// Data folder of a Natter in one process.
    #[arg(long, env = "NATTER_DATA", default_value = DEFAULT_DATA)]
    pub(crate) data: PathBuf,
    /// Postgres for messages, of a Natter of several processes. Goes before the data folder.
    #[arg(long, env = "PERSISTENCE_DATABASE_URL", hide_env_values = true)]
    pub(crate) persistence_database_url: Option<Secret>,
    #[command(flatten)]
    pub(crate) nats: NatsConfig,
}

#[derive(Debug, Args)]
pub(crate) struct RepairConfig {
    /// A position that was given out, though the store may not know it: the `known` of the error that asks for this.
    #[arg(long, default_value_t = 0)]
    pub(crate) past: u64,
    #[command(flatten)]
    pub(crate) pair: PairConfig,
    #[command(flatten)]
    pub(crate) telemetry: TelemetryConfig,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyConfig {
    /// First position to compare. What the log no longer holds cannot be.
    #[arg(long, default_value_t = 1)]
    pub(crate) from: u64,
    /// Last position to compare. Never behind what is said to be stored, which is also the default.
    #[arg(long)]
    pub(crate) to: Option<u64>,
    /// Applies what is missing. What was altered stays, and is told.
    #[arg(long)]
    pub(crate) repair: bool,
    #[command(flatten)]
    pub(crate) pair: PairConfig,
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

/// Where accounts and rights are.
#[derive(Debug, Args)]
pub(crate) struct AccountsConfig {
    /// Data folder of a Natter in one process, which may be running.
    #[arg(long, env = "NATTER_DATA", default_value = DEFAULT_DATA)]
    pub(crate) data: PathBuf,
    /// Postgres for accounts, of a Natter of several processes. Goes before the data folder.
    #[arg(long, env = "AUTHZ_DATABASE_URL", hide_env_values = true)]
    pub(crate) authz_database_url: Option<Secret>,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeConfig {
    /// The `jti` of a token, access or refresh.
    #[arg(long, conflicts_with = "account")]
    pub(crate) jti: Option<String>,
    /// All tokens that this account was given until now. A username; digits are an id.
    #[arg(long)]
    pub(crate) account: Option<String>,
    #[command(flatten)]
    pub(crate) accounts: AccountsConfig,
    #[command(flatten)]
    pub(crate) telemetry: TelemetryConfig,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveConfig {
    /// The conversation's id.
    #[arg(long)]
    pub(crate) conversation: u64,
    /// Who is removed. A username; digits are an id.
    #[arg(long)]
    pub(crate) account: String,
    #[command(flatten)]
    pub(crate) accounts: AccountsConfig,
    #[command(flatten)]
    pub(crate) telemetry: TelemetryConfig,
}

const DEFAULT_DATA: &str = "./natter-data";
