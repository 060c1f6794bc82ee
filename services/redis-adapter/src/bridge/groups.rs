//! The groups of all conversations: joined as soon as authz knows them, kept, and left at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use natter_host::backoff::Backoff;
use natter_model::id::ConversationId;
use tokio::sync::{Notify, watch};
use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::members::{AuthzUnavailable, Members};
use super::outward;
use crate::layer::Layer;
use crate::layer::error::LayerError;
use crate::metrics;

/// Conversations that are read, and groups that are joined, at once.
const PAGE: u32 = 500;
/// Conversations that are read at once where few are expected.
const LOOK: u32 = 50;
/// Time between two looks for new conversations: as long as a new one may be deaf.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Longest time between two looks at all of them: as long as we stay in the group of one that is gone.
const LIST_EVERY: Duration = Duration::from_secs(300);
/// Longest time that leaving takes.
const LEAVING: Duration = Duration::from_secs(5);

/// Pauses before the next attempt when authz or Redis is away.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Authz(#[from] AuthzUnavailable),
    #[error(transparent)]
    Layer(#[from] LayerError),
}

/// Which groups we are in.
pub(crate) struct Groups {
    layer: Layer,
    members: Members,
    /// Ids from here on are Natter's own, those below were given by Django: both sides go on counting.
    first: ConversationId,
    group_expiry: Duration,
    /// When each was joined last.
    joined: BTreeMap<ConversationId, Instant>,
    /// What was joined before has to be joined again.
    valid_since: Instant,
    /// Whether we have once been in all of them.
    is_complete: watch::Sender<bool>,
}

impl Groups {
    /// Of a log that begins at `first`.
    pub(crate) fn new(layer: Layer, members: Members, first: ConversationId, group_expiry: Duration) -> Self {
        let (joined, valid_since, is_complete) = (BTreeMap::new(), Instant::now(), watch::Sender::new(false));
        Self { layer, members, first, group_expiry, joined, valid_since, is_complete }
    }

    /// Becomes true once all groups are joined for the first time.
    pub(crate) fn is_complete(&self) -> watch::Receiver<bool> {
        self.is_complete.subscribe()
    }

    /// Joins all groups, new ones soon, and all again when half their time is up or `lost` says that Redis may have
    /// forgotten of it. Leaves them when `drain` is cancelled.
    pub(crate) async fn keep(mut self, lost: &Notify, drain: &CancellationToken) {
        drain.run_until_cancelled(self.keep_joined(lost)).await;
        let all: Vec<ConversationId> = self.joined.keys().copied().collect();
        match time::timeout(LEAVING, self.leave(&all)).await {
            Ok(Ok(())) => info!(groups = all.len(), "left all groups"),
            Ok(Err(error)) => warn!(%error, "groups were not left; Redis forgets of us after group_expiry"),
            Err(_) => warn!("groups were not left in time; Redis forgets of us after group_expiry"),
        }
    }

    async fn keep_joined(&mut self, lost: &Notify) {
        let list_every = LIST_EVERY.min(self.group_expiry / 4);
        let mut backoff = Backoff::between(FIRST_PAUSE, LONGEST_PAUSE);
        let mut listed_at: Option<Instant> = None;
        loop {
            let outcome = match listed_at {
                Some(at) if at.elapsed() < list_every => self.join_new().await,
                _ => self.join_all().await.map(|()| listed_at = Some(Instant::now())),
            };
            match outcome {
                Ok(()) => {
                    backoff.reset();
                    tokio::select! {
                        () = time::sleep(LOOK_EVERY) => {}
                        () = lost.notified() => {
                            self.valid_since = Instant::now();
                            listed_at = None;
                        }
                    }
                }
                Err(error) => {
                    if backoff.is_fresh() {
                        warn!(%error, "not all groups are joined");
                    }
                    backoff.wait().await;
                }
            }
        }
    }

    /// Goes through all conversations, joins where that is due, and leaves those that are no more.
    async fn join_all(&mut self) -> Result<(), Trouble> {
        let mut all = BTreeSet::new();
        let mut after = 0;
        loop {
            let page = self.members.conversations_after(after, PAGE).await?;
            self.join(&page).await?;
            all.extend(page.iter().copied());
            match page.last() {
                Some(last) if page.len() == PAGE as usize => after = last.get(),
                _ => break,
            }
        }
        let gone: Vec<ConversationId> = self.joined.keys().filter(|id| !all.contains(id)).copied().collect();
        self.leave(&gone).await?;
        if !self.is_complete.send_replace(true) {
            info!(groups = self.joined.len(), "joined all groups");
        }
        Ok(())
    }

    /// Joins conversations behind the last ones that were seen: of Django's, and of Natter's own.
    async fn join_new(&mut self) -> Result<(), Trouble> {
        loop {
            let last = self.joined.range(..self.first).next_back().map_or(0, |(id, _)| id.get());
            let mut page = self.members.conversations_after(last, LOOK).await?;
            page.retain(|id| *id < self.first);
            self.join(&page).await?;
            if page.len() < LOOK as usize {
                break;
            }
        }
        loop {
            let last = self.joined.range(self.first..).next_back().map_or(self.first.get() - 1, |(id, _)| id.get());
            let page = self.members.conversations_after(last, LOOK).await?;
            self.join(&page).await?;
            if page.len() < LOOK as usize {
                return Ok(());
            }
        }
    }

    async fn join(&mut self, conversations: &[ConversationId]) -> Result<(), Trouble> {
        let is_due = |id: &&ConversationId| match self.joined.get(id) {
            Some(at) => *at < self.valid_since || at.elapsed() >= self.group_expiry / 2,
            None => true,
        };
        let due: Vec<ConversationId> = conversations.iter().filter(is_due).copied().collect();
        if due.is_empty() {
            return Ok(());
        }
        let joined_at = Instant::now();
        let groups: Vec<String> = due.iter().map(|id| outward::group(*id)).collect();
        for garbage in self.layer.join(&groups).await? {
            warn!(key = garbage.key, reason = %garbage.why, "a group cannot be joined");
            metrics::skipped(garbage.why.label(), 1);
        }
        debug!(groups = due.len(), "joined");
        self.joined.extend(due.into_iter().map(|id| (id, joined_at)));
        metrics::groups(self.joined.len());
        Ok(())
    }

    async fn leave(&mut self, conversations: &[ConversationId]) -> Result<(), LayerError> {
        for some in conversations.chunks(PAGE as usize) {
            let groups: Vec<String> = some.iter().map(|id| outward::group(*id)).collect();
            // What is not our kind of key has been told when it could not be joined.
            self.layer.leave(&groups).await?;
            for id in some {
                self.joined.remove(id);
            }
            metrics::groups(self.joined.len());
        }
        Ok(())
    }
}
