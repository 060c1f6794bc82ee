//! `natter import-django`.

use clap::Args;
use natter_host::secret::Secret;
use natter_host::telemetry::TelemetryConfig;

use super::PairConfig;
use super::django::TablesConfig;

/// What the help says about doing it again.
pub(crate) const AGAIN: &str = "\
It may be stopped (Ctrl-C) and run again at any time, also while Django and Natter are in use; a Natter in one process \
has to be stopped for it. Each run compares everything and brings over what has changed. Then

 - of accounts everything is as it is in Django, passwords included;
 - of a message counts what Django has, except what Natter's log has decided: an edit, a delete, a read mark made (or \
relayed) there stays. What is deleted on one side stays deleted;
 - who takes part in a conversation at Django takes part here, unless they were removed here within the last 30 days; \
who does no longer is removed here, as by `natter participant remove`;
 - a conversation that was deleted here stays deleted; one that is gone from Django stays here unless --delete-gone;
 - a refresh token that was revoked on either side is revoked.

Ids stay as they are. So Natter's own have to begin behind Django's, with room for Django to grow: a new log begins \
there (`natter provision --first-sequence 1099511627776`; a data folder that this command makes does so by itself), \
and so do the ids of accounts and conversations that are made in Natter.

Rows that Natter cannot take are listed and left. Ends with 0 if nothing was left and nothing differs, else with 1; \
with 2 if it could not begin.";

#[derive(Debug, Clone, Args)]
#[command(after_help = AGAIN)]
pub(crate) struct ImportConfig {
    /// Django's database: postgres://user:password@host:port/database, or the path of a SQLite file.
    #[arg(long, env = "DJANGO_DATABASE_URL", hide_env_values = true)]
    pub(crate) from: Secret,
    /// Changes nothing: counts, and names every row that will not fit, with the reason.
    #[arg(long, conflicts_with = "check")]
    pub(crate) dry_run: bool,
    /// Changes nothing: compares both sides row by row. What Natter's log has changed since is counted, and no difference.
    #[arg(long)]
    pub(crate) check: bool,
    /// Leaves messages below this id out: those that an earlier run was done with. Their edits are left out too.
    #[arg(long, default_value_t = 1)]
    pub(crate) since_id: u64,
    /// Leaves all messages out: for often, while an adapter relays them.
    #[arg(long, conflicts_with = "since_id")]
    pub(crate) without_messages: bool,
    /// Ends conversations and deletes messages here that an earlier run brought in and that are gone from Django. Their
    /// sockets and clients are told like of any other.
    #[arg(long, conflicts_with_all = ["dry_run", "check"])]
    pub(crate) delete_gone: bool,
    /// How many ids Django must still be able to give out before they meet Natter's. 0 once it gives out none.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) room: u64,
    /// Postgres for accounts and conversations, of a Natter of several processes. Goes before the data folder.
    #[arg(long, env = "AUTHZ_DATABASE_URL", hide_env_values = true, requires = "persistence_database_url")]
    pub(crate) authz_database_url: Option<Secret>,
    #[command(flatten)]
    pub(crate) pair: PairConfig,
    #[command(flatten)]
    pub(crate) tables: TablesConfig,
    #[command(flatten)]
    pub(crate) telemetry: TelemetryConfig,
}
