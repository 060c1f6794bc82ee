//! Where everything is brought.

use std::collections::{BTreeMap, HashSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use natter_host::exit::Misconfigured;
use natter_log::mend::Mend;
use natter_log::port::Delivery;
use natter_model::event::Body;
use natter_model::id::{AccountId, ConversationId, Position};
use natter_store::accounts::{Account, Conversation};
use natter_store::evidence::Evidence;
use natter_store::rights::Ended;
use tempfile::TempDir;

use super::room::Limits;
use crate::accounts::{self, Accounts};
use crate::cli::AccountsConfig;
use crate::cli::import::ImportConfig;
use crate::pair::Pair;

/// Where a log begins that is made for an import: beyond what any Django has given out.
pub(super) const SUGGESTED_FIRST: u64 = 1 << 40;

/// Changes of rights that are looked at at a time.
const CHANGES: u32 = 1_000;

/// Records of the log that are read at a time.
const RECORDS: usize = 2_000;

/// Accounts and conversations of Natter's that are read at a time.
const STORED: u32 = 1_000;

/// Natter's stores and log, in either shape.
pub(super) struct Target {
    pub(super) accounts: Arc<dyn Accounts>,
    pub(super) messages: Arc<dyn Evidence>,
    pub(super) log: Arc<dyn Mend>,
    /// Conversations that were deleted here.
    pub(super) erased: HashSet<ConversationId>,
    /// Who was removed from which conversation here, as far as that is remembered.
    pub(super) removed: HashSet<(ConversationId, AccountId)>,
    /// Where the log began, or will, and where it ends.
    pub(super) log_first: Position,
    pub(super) log_last: Position,
    /// It is a data folder.
    pub(super) is_folder: bool,
    // In this order: the folder goes last.
    pair: Pair,
    _nothing: Option<TempDir>,
}

impl Target {
    /// Natter as it is; a data folder is made if it is not there. Where there is no Natter yet, a dry run looks at what
    /// would come into a new one.
    pub(super) async fn open(config: &ImportConfig) -> anyhow::Result<Self> {
        let has_databases = config.pair.persistence_database_url.is_some();
        if has_databases && config.authz_database_url.is_none() {
            let trouble = "PERSISTENCE_DATABASE_URL is set, so the accounts' database has to be named too";
            return Err(Misconfigured::new("AUTHZ_DATABASE_URL", trouble).into());
        }
        if !config.dry_run && !config.check {
            let pair = Pair::open_or_make(&config.pair, Position::new(SUGGESTED_FIRST)).await?;
            return Self::of(pair, config, None).await;
        }
        let found = match has_databases || config.pair.data.is_dir() {
            true => Self::found(config).await,
            false => Err(anyhow!("NATTER_DATA: there is no {}", config.pair.data.display())),
        };
        match found {
            Err(trouble) if config.dry_run => {
                println!("There is no Natter yet to compare with, so everything is new. {trouble:#}");
                Self::empty(config).await
            }
            found => found,
        }
    }

    async fn found(config: &ImportConfig) -> anyhow::Result<Self> {
        Self::of(Pair::open(&config.pair).await?, config, None).await
    }

    async fn empty(config: &ImportConfig) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("making a temporary folder")?;
        let mut config = config.clone();
        (config.authz_database_url, config.pair.persistence_database_url) = (None, None);
        config.pair.data = folder.path().to_owned();
        let pair = Pair::open_or_make(&config.pair, Position::new(SUGGESTED_FIRST)).await?;
        Self::of(pair, &config, Some(folder)).await
    }

    async fn of(pair: Pair, config: &ImportConfig, nothing: Option<TempDir>) -> anyhow::Result<Self> {
        let is_folder = config.pair.persistence_database_url.is_none();
        let data = config.pair.data.clone();
        let place = AccountsConfig { data, authz_database_url: config.authz_database_url.clone() };
        let accounts = accounts::open(&place).await?;
        accounts.ready().await.context("AUTHZ_DATABASE_URL")?;
        pair.store.ready().await.context("PERSISTENCE_DATABASE_URL")?;
        let erased = erased(&pair).await.context("asking which conversations have ended")?;
        let removed = removed(&*accounts).await?;
        let log_first = pair.first().await.context("asking the log where it began")?;
        let log_last = pair.log.last().await.context("asking the log where it ends")?;
        let (messages, log) = (pair.store.clone(), pair.log.clone());
        Ok(Self { accounts, messages, log, erased, removed, log_first, log_last, is_folder, pair, _nothing: nothing })
    }

    /// From now on Natter's own ids of accounts and conversations begin where the log's do.
    pub(super) async fn prepare(&self, limits: &Limits) -> anyhow::Result<()> {
        let below = limits.first.unsigned_abs();
        if self.accounts.reserve_ids(below).await.context("reserving ids for Django's accounts")? {
            return Ok(());
        }
        let setting = if self.is_folder { "NATTER_DATA" } else { "AUTHZ_DATABASE_URL" };
        let trouble = "this Natter has made accounts or conversations with ids that Django's may have too; import into \
                       a new one";
        Err(Misconfigured::new(setting, trouble).into())
    }
}

impl Target {
    /// Conversations that have been deleted here since this was asked.
    pub(super) async fn newly_erased(&mut self) -> anyhow::Result<Vec<ConversationId>> {
        let erased = erased(&self.pair).await.context("asking which conversations have ended")?;
        let new = erased.difference(&self.erased).copied().collect();
        self.erased = erased;
        Ok(new)
    }

    /// The accounts with these ids.
    pub(super) async fn stored_accounts(
        &self,
        ids: RangeInclusive<u64>,
    ) -> anyhow::Result<BTreeMap<AccountId, Account>> {
        let mut stored = BTreeMap::new();
        let mut after = AccountId::new(ids.start().saturating_sub(1));
        loop {
            let page = self.accounts.accounts_after(after, STORED).await.context("reading Natter's accounts")?;
            after = page.last().map(|last| last.id);
            let is_last = page.len() < STORED as usize || after.is_none_or(|after| after.get() >= *ids.end());
            stored.extend(page.into_iter().map(|row| (row.id, row)).filter(|(id, _)| ids.contains(&id.get())));
            if is_last {
                return Ok(stored);
            }
        }
    }

    /// The conversations with these ids.
    pub(super) async fn stored_conversations(
        &self,
        ids: RangeInclusive<u64>,
    ) -> anyhow::Result<BTreeMap<ConversationId, Conversation>> {
        let mut stored = BTreeMap::new();
        let mut after = ConversationId::new(ids.start().saturating_sub(1));
        loop {
            let page =
                self.accounts.conversations_after(after, STORED).await.context("reading Natter's conversations")?;
            after = page.last().map(|last| last.id);
            let is_last = page.len() < STORED as usize || after.is_none_or(|after| after.get() >= *ids.end());
            stored.extend(page.into_iter().map(|row| (row.id, row)).filter(|(id, _)| ids.contains(&id.get())));
            if is_last {
                return Ok(stored);
            }
        }
    }
}

/// As the store knows, and as the log says that the store has not taken in yet.
async fn erased(pair: &Pair) -> anyhow::Result<HashSet<ConversationId>> {
    let floor = pair.backlog.floor().await?;
    let stored = pair.store.erasures(0..=i64::MAX.cast_unsigned()).await?;
    let mut erased: HashSet<ConversationId> = stored.into_keys().collect();
    let mut at = floor;
    loop {
        let records = pair.log.scan(at, RECORDS).await?;
        erased.extend(records.iter().filter_map(|record| match record {
            Delivery::Entry(entry, _) if entry.event.body == Body::ConversationDeleted => {
                Some(entry.event.conversation)
            }
            _ => None,
        }));
        match records.last() {
            Some(last) if records.len() == RECORDS => at = last.position(),
            _ => return Ok(erased),
        }
    }
}

async fn removed(accounts: &dyn Accounts) -> anyhow::Result<HashSet<(ConversationId, AccountId)>> {
    let (mut removed, mut after) = (HashSet::new(), 0);
    loop {
        let changes = accounts.changes(after, CHANGES).await.context("asking who was removed")?;
        let Some(last) = changes.last() else { return Ok(removed) };
        after = last.id;
        removed.extend(changes.into_iter().filter_map(|change| match change.ended {
            Ended::Participant { conversation, account } => Some((conversation, account)),
            Ended::Token(_) | Ended::Tokens(_) => None,
        }));
    }
}
