//! `natter mirror-django`.

use std::net::SocketAddr;

use clap::Args;
use natter_host::cli::HostConfig;
use natter_host::secret::Secret;

use super::PairConfig;
use super::django::TablesConfig;

/// What the help says about the rest.
const MORE: &str = "\
Messages, edits, deletes, read marks, deleted conversations and removed participants come into Django's tables within a \
moment, each once; so do conversations that were started in Natter. What Django did itself is there already. How far \
it has come stands in the table natter_mirror of Django's database and moves in the same transaction as the rows: it may be \
stopped or killed at any time, and goes on where it was. Of several only one is at work, the others wait.

Accounts are not made in Django: what somebody said whom Django does not know is left out, and told. Once the account is \
there, with the same id, --from-start brings it.

While Django still posts, its ids stay below Natter's. A SQLite file cannot do that, so there it is only mirrored at the \
end: with --finish, which is the return to Django, or --once.

Ends with 0 if it was stopped, or has done what was asked; with 1 if --check finds a difference; with 2 if it could not \
begin.";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub(crate) struct MirrorConfig {
    /// Django's database: postgres://user:password@host:port/database, or the path of a SQLite file.
    #[arg(long, env = "DJANGO_DATABASE_URL", hide_env_values = true)]
    pub(crate) to: Secret,
    /// Ends once everything is in Django's tables.
    #[arg(long)]
    pub(crate) once: bool,
    /// The return to Django, when nobody sends through Natter any more: ends once everything is in Django's tables, and
    /// moves their ids on, behind all that Natter has given. Django goes on alone.
    #[arg(long, conflicts_with = "once")]
    pub(crate) finish: bool,
    /// Changes nothing: compares Django's rows of what was said in Natter with Natter's own, one by one.
    #[arg(long, conflicts_with_all = ["once", "finish", "from_start"])]
    pub(crate) check: bool,
    /// Begins again where the log does, which changes only what is missing.
    #[arg(long)]
    pub(crate) from_start: bool,
    /// Address for probes: /livez and /readyz. Port 0 takes a free one. Nobody is answered with --once, --finish, --check.
    #[arg(long, env = "MIRROR_OPS_LISTEN", default_value = "0.0.0.0:9094")]
    pub(crate) ops_listen: SocketAddr,
    /// Postgres for accounts and conversations, of a Natter of several processes. Goes before the data folder.
    #[arg(long, env = "AUTHZ_DATABASE_URL", hide_env_values = true, requires = "persistence_database_url")]
    pub(crate) authz_database_url: Option<Secret>,
    #[command(flatten)]
    pub(crate) pair: PairConfig,
    #[command(flatten)]
    pub(crate) tables: TablesConfig,
    #[command(flatten)]
    pub(crate) host: HostConfig,
}
