//! A log and the store it is folded into, for the commands that compare the two.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use natter_host::exit::Misconfigured;
use natter_log::embedded::Embedded;
use natter_log::mend::Mend;
use natter_log::port::{Backlog, LogError};
use natter_log_nats::{Access, JetStream, State};
use natter_model::id::Position;
use natter_store::evidence::Evidence;
use natter_store::messages::MessageStore as _;
use natter_store::sqlite::SqliteStore;
use natter_store_pg::PgMessages;
use tokio::task;
use tokio::time::timeout;

use crate::cli::PairConfig;
use crate::folder::{DataFolder, FolderLock};

/// Longest wait for NATS and its stream.
const PATIENCE: Duration = Duration::from_secs(15);

/// The log and the store of one deployment, in either shape.
pub(crate) struct Pair {
    pub(crate) log: Arc<dyn Mend>,
    pub(crate) backlog: Arc<dyn Backlog>,
    pub(crate) store: Arc<dyn Evidence>,
    /// Where the log is, if it is in NATS.
    pub(crate) nats: Option<Access>,
    stream: Option<Arc<JetStream>>,
    _lock: Option<FolderLock>,
}

impl Pair {
    /// In NATS and Postgres if a database is named, else in the data folder, which nobody may be serving.
    pub(crate) async fn open(config: &PairConfig) -> anyhow::Result<Self> {
        Self::open_as(config, "admin").await
    }

    /// The same, as another user of NATS.
    pub(crate) async fn open_as(config: &PairConfig, user: &'static str) -> anyhow::Result<Self> {
        match &config.persistence_database_url {
            Some(url) => Self::of_servers(config.nats.access(user)?, url.expose()).await,
            None => Self::of_folder(&DataFolder::open(&config.data)?, None).await,
        }
    }

    /// The same, but a data folder need not be there: the log of a new one begins at `first`.
    pub(crate) async fn open_or_make(config: &PairConfig, first: Position) -> anyhow::Result<Self> {
        if config.persistence_database_url.is_some() {
            return Self::open(config).await;
        }
        let folder = DataFolder::open(&config.data)?;
        let pair = Self::of_folder(&folder, Some(first)).await?;
        folder.finish_first_start().map_err(|error| folder.damaged(error))?;
        Ok(pair)
    }

    /// Where the log's first record stood, or will stand.
    pub(crate) async fn first(&self) -> Result<Position, LogError> {
        match &self.stream {
            Some(stream) => stream.first().await,
            None => Ok(Position::new(self.log.oldest().await?.get() + 1)),
        }
    }

    async fn of_servers(nats: Access, database_url: &str) -> anyhow::Result<Self> {
        let refused = |error: &dyn std::fmt::Display| Misconfigured::new("PERSISTENCE_DATABASE_URL", error);
        let store = PgMessages::connect_lazy(database_url).map_err(|error| refused(&error))?;
        let log = JetStream::connect(&nats).await.map_err(|error| Misconfigured::new("NATS_URL", error))?;
        let mut state = log.state();
        let is_there = |state: &State| matches!(state, State::Ready | State::NoStream | State::WentBackwards { .. });
        let reached = timeout(PATIENCE, state.wait_for(is_there)).await.is_ok();
        let state = *log.state().borrow();
        if !reached {
            bail!("NATS_URL: {state}");
        }
        if state == State::NoStream {
            let next = store.highest().await?.get() + 1;
            bail!("NATS_URL: there is no log; run `natter provision --first-sequence {next}` or higher");
        }
        let log = Arc::new(log);
        let stream = Some(log.clone());
        Ok(Self { log: log.clone(), backlog: log, store: Arc::new(store), nats: Some(nats), stream, _lock: None })
    }

    /// A folder that nobody has begun with is refused, unless its log has a first position.
    async fn of_folder(folder: &DataFolder, first: Option<Position>) -> anyhow::Result<Self> {
        let lock = folder.lock()?;
        if folder.is_first_start() && first.is_none() {
            bail!("NATTER_DATA: there is nothing in {}", folder.path().display());
        }
        let store = SqliteStore::open(&folder.store()).await.map_err(|error| folder.damaged(error))?;
        let highest = store.highest().await?;
        let path = folder.log();
        let next = Position::new(highest.get() + 1).max(first.unwrap_or(Position::START));
        let log = task::spawn_blocking(move || Embedded::open(&path, next)).await?;
        let log = Arc::new(log.map_err(|error| folder.damaged(error))?);
        Ok(Self { log: log.clone(), backlog: log, store: Arc::new(store), nats: None, stream: None, _lock: Some(lock) })
    }
}
