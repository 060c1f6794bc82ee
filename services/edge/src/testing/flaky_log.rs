//! A log that can be made unreliable.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use natter_log::embedded::Embedded;
use natter_log::port::{Appended, Delivery, Feed, Heard, Log, LogError};
use natter_model::event::{Entry, Event, Signal};
use natter_model::id::{ConversationId, EventId, Position};
use tokio::sync::watch;

/// A log whose followers can be made deaf, which can be away, and which can forget.
pub(crate) struct FlakyLog {
    /// What it truly holds.
    pub embedded: Embedded,
    is_deafening: AtomicBool,
    unheard: Arc<Mutex<HashSet<EventId>>>,
    is_away: AtomicBool,
    is_sealed: AtomicBool,
    forgotten: AtomicU64,
    has_forgotten_ids: AtomicBool,
    /// Readings that were tried.
    pub n_read: AtomicUsize,
    /// Readings that failed because the log is sealed.
    pub n_failed: watch::Sender<usize>,
}

impl FlakyLog {
    pub(crate) fn new(embedded: Embedded) -> Self {
        Self {
            embedded,
            is_deafening: AtomicBool::default(),
            unheard: Arc::default(),
            is_away: AtomicBool::default(),
            is_sealed: AtomicBool::default(),
            forgotten: AtomicU64::default(),
            has_forgotten_ids: AtomicBool::default(),
            n_read: AtomicUsize::default(),
            n_failed: watch::Sender::default(),
        }
    }

    /// Those who follow never hear of what is appended from now on.
    pub(crate) fn deafen(&self, is_deafening: bool) {
        self.is_deafening.store(is_deafening, Ordering::SeqCst);
    }

    /// Reading, appending and following fail.
    pub(crate) fn take_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::SeqCst);
    }

    /// Reading fails, and nothing else.
    pub(crate) fn seal(&self, is_sealed: bool) {
        self.is_sealed.store(is_sealed, Ordering::SeqCst);
    }

    /// What stands up to here is gone.
    pub(crate) fn forget(&self, up_to: Position) {
        self.forgotten.store(up_to.get(), Ordering::SeqCst);
    }

    /// What was appended before is appended again.
    pub(crate) fn forget_ids(&self) {
        self.has_forgotten_ids.store(true, Ordering::SeqCst);
    }

    fn forgotten(&self) -> Position {
        Position::new(self.forgotten.load(Ordering::SeqCst))
    }

    fn there(&self) -> Result<&Embedded, LogError> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(LogError::Unavailable("taken away by the test".to_owned()));
        }
        Ok(&self.embedded)
    }
}

#[async_trait]
impl Log for FlakyLog {
    async fn append(&self, event: &Event) -> Result<Appended, LogError> {
        if self.is_deafening.load(Ordering::SeqCst) {
            self.unheard.lock().expect("no test panics with it").insert(event.id);
        }
        let appended = self.there()?.append(event).await?;
        if appended.duplicate && self.has_forgotten_ids.load(Ordering::SeqCst) {
            return self.there()?.append(&Event { id: EventId::fresh(), ..event.clone() }).await;
        }
        Ok(appended)
    }

    async fn read(&self, conversation: ConversationId, after: Position, limit: usize) -> Result<Vec<Entry>, LogError> {
        if self.is_sealed.load(Ordering::SeqCst) {
            self.n_failed.send_modify(|n_failed| *n_failed += 1);
            return Err(LogError::Unavailable("sealed by the test".to_owned()));
        }
        self.n_read.fetch_add(1, Ordering::SeqCst);
        let mut entries = self.there()?.read(conversation, after.max(self.forgotten()), limit).await?;
        if let Some(first) =
            entries.first_mut().filter(|_| after <= self.forgotten() && self.forgotten() > Position::START)
        {
            first.previous = Position::START;
        }
        Ok(entries)
    }

    async fn entry(&self, position: Position) -> Result<Option<Entry>, LogError> {
        self.there()?.entry(position).await
    }

    async fn head(&self, conversation: ConversationId) -> Result<Position, LogError> {
        let head = self.there()?.head(conversation).await?;
        Ok(if head > self.forgotten() { head } else { Position::START })
    }

    async fn oldest(&self) -> Result<Position, LogError> {
        Ok(self.there()?.oldest().await?.max(self.forgotten()))
    }

    async fn last(&self) -> Result<Position, LogError> {
        self.there()?.last().await
    }

    async fn scan(&self, after: Position, limit: usize) -> Result<Vec<Delivery>, LogError> {
        self.there()?.scan(after, limit).await
    }

    fn expect_at_least(&self, position: Position) {
        self.embedded.expect_at_least(position);
    }

    async fn follow(&self, conversation: ConversationId) -> Result<Feed, LogError> {
        let feed = self.there()?.follow(conversation).await?;
        let heard = stream::unfold(feed, async |mut feed| Some((feed.next().await?, feed)));
        let unheard = Arc::clone(&self.unheard);
        Ok(Feed::new(heard.filter(move |heard: &Heard| {
            let unheard = unheard.lock().expect("no test panics with it");
            let hears = !matches!(heard, Heard::Entry(entry, _) if unheard.contains(&entry.event.id));
            async move { hears }
        })))
    }

    async fn follow_all(&self, name: &str) -> Result<Feed, LogError> {
        self.there()?.follow_all(name).await
    }

    async fn signal(&self, signal: &Signal) -> Result<(), LogError> {
        self.there()?.signal(signal).await
    }
}
