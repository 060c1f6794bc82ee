//! The Natter that is mirrored.

use std::sync::Arc;
use std::time::Duration;

use natter_host::backoff::Backoff;
use natter_host::exit::Misconfigured;
use natter_host::readiness::Readiness;
use natter_log::mend::Mend;
use natter_model::id::Position;

use super::trouble::{AUTHZ, NATS};
use crate::accounts::{self, Accounts};
use crate::cli::AccountsConfig;
use crate::cli::mirror::MirrorConfig;
use crate::pair::Pair;

/// The NATS user that a mirror is.
const USER: &str = "mirror";

/// Pauses before the next attempt while something is away.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(100);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Its log, and who takes part in its conversations.
pub(super) struct Source {
    pub(super) log: Arc<dyn Mend>,
    pub(super) accounts: Arc<dyn Accounts>,
    /// Ids from here on are Natter's; those below are Django's.
    pub(super) first: Position,
    pub(super) pair: Pair,
}

impl Source {
    /// Waits for what is away.
    pub(super) async fn open(config: &MirrorConfig, readiness: &Readiness) -> anyhow::Result<Self> {
        let is_folder = config.pair.persistence_database_url.is_none();
        if !is_folder && config.authz_database_url.is_none() {
            let trouble = "PERSISTENCE_DATABASE_URL is set, so the accounts' database has to be named too";
            return Err(Misconfigured::new("AUTHZ_DATABASE_URL", trouble).into());
        }
        if is_folder && !(config.once || config.finish || config.check) {
            let trouble = "a Natter in one process can only be mirrored while it is stopped, with --once or --finish; of \
                           several processes, name the databases (and AUTHZ_DATABASE_URL)";
            return Err(Misconfigured::new("PERSISTENCE_DATABASE_URL", trouble).into());
        }
        let place =
            AccountsConfig { data: config.pair.data.clone(), authz_database_url: config.authz_database_url.clone() };
        let accounts = accounts::open(&place).await?;
        let mut backoff = Backoff::between(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            let error = match Pair::open_as(&config.pair, USER).await {
                Ok(pair) => match pair.first().await {
                    Ok(first) => {
                        readiness.ready(NATS);
                        readiness.ready(AUTHZ);
                        return Ok(Self { log: pair.log.clone(), accounts, first, pair });
                    }
                    Err(error) => anyhow::Error::new(error),
                },
                Err(error) => error,
            };
            if is_folder || error.downcast_ref::<Misconfigured>().is_some() {
                return Err(error);
            }
            readiness.waiting(NATS, format!("{error:#}"));
            backoff.wait().await;
        }
    }
}
