//! What has left the rooms' memory: from persistence, else from the log, in pages that are shared for a moment.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use moka::policy::EvictionPolicy;
use natter_log::port::{Log, LogError};
use natter_model::event::Entry;
use natter_model::id::{ConversationId, Position};

use crate::page::Page;
use crate::persistence::Persistence;

/// Entries of a page from the log, where each record is a message of its own.
const LOG_ENTRIES: usize = 128;
/// How long a page is kept for others who ask for the same, and for its first reader to come back for the rest of it.
const SHARED_FOR: Duration = Duration::from_secs(2);
/// The past of all conversations, shared by all rooms.
pub(crate) struct Past {
    log: Arc<dyn Log>,
    persistence: Arc<Persistence>,
    pages: Cache<(ConversationId, Position), Arc<Page>>,
}

/// Why there is no page now.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum PastError {
    /// Nobody answers.
    #[error("persistence cannot tell, and the log neither: {0}")]
    LogAway(LogError),
    /// Only persistence could tell.
    #[error("persistence cannot tell, and the log does not reach back that far")]
    TooLongAgo,
}

impl Past {
    /// Keeps pages of at most `max_bytes`, about, for a moment.
    pub(crate) fn new(log: Arc<dyn Log>, persistence: Arc<Persistence>, max_bytes: usize) -> Self {
        let pages = Cache::builder()
            .max_capacity(max_bytes as u64)
            .weigher(|_, page: &Arc<Page>| u32::try_from(page.n_bytes()).unwrap_or(u32::MAX))
            .time_to_live(SHARED_FOR)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self { log, persistence, pages }
    }

    /// A page that tells what comes behind `position`. The one that began at `known` if it is still at hand, else one
    /// that begins at `position`. Whoever asks knows that the log has come to `goal`, which is behind `position`.
    pub(crate) async fn page(
        &self,
        conversation: ConversationId,
        known: Position,
        position: Position,
        goal: Position,
    ) -> Result<Arc<Page>, PastError> {
        if let Some(page) = self.pages.get(&(conversation, known)).await
            && page.through() > position
        {
            return Ok(page);
        }
        let key = (conversation, position);
        let fetched = self.pages.try_get_with(key, self.fetch(conversation, position)).await;
        let page = fetched.map_err(|error| PastError::clone(&error))?;
        if page.through() <= position {
            // Nothing stands behind it, in the log neither: what does so later was not there when this was asked.
            self.pages.invalidate(&key).await;
            return Ok(Arc::new(Page::empty(position, goal)));
        }
        Ok(page)
    }

    /// The next entries in the log after `after`; none: there are no more. `None`: the log may have let go of some.
    pub(crate) async fn in_log(
        &self,
        conversation: ConversationId,
        after: Position,
    ) -> Result<Option<Vec<Entry>>, LogError> {
        let entries = self.log.read(conversation, after, LOG_ENTRIES).await?;
        let follows = entries.first().is_some_and(|first| first.previous == after && after != Position::START);
        // Asked after reading: what was there at the end was there before.
        Ok((follows || self.log.oldest().await? <= after).then_some(entries))
    }

    /// Where the conversation's last entry stands.
    pub(crate) async fn head(&self, conversation: ConversationId) -> Result<Position, LogError> {
        self.log.head(conversation).await
    }

    /// Lets go of what is too old to be used.
    pub(crate) async fn forget_the_old(&self) {
        self.pages.run_pending_tasks().await;
    }

    async fn fetch(&self, conversation: ConversationId, after: Position) -> Result<Arc<Page>, PastError> {
        if let Ok(page) = self.persistence.page(conversation, after).await {
            return Ok(Arc::new(page));
        }
        self.page_in_log(conversation, after)
            .await
            .map_err(PastError::LogAway)?
            .map(Arc::new)
            .ok_or(PastError::TooLongAgo)
    }

    async fn page_in_log(&self, conversation: ConversationId, after: Position) -> Result<Option<Page>, LogError> {
        let head = self.log.head(conversation).await?;
        let Some(entries) = self.in_log(conversation, after).await? else { return Ok(None) };
        let last = entries.last().map_or(after, |last| last.position);
        // Records that nobody can read may stand behind the last entry.
        let through = if entries.len() < LOG_ENTRIES { last.max(head) } else { last };
        Ok(Some(Page::of_log(after, through, entries)))
    }
}
