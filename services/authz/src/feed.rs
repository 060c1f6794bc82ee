//! Rights that end, as they end: one look at the store for all who watch.

use std::sync::Arc;
use std::time::Duration;

use natter_host::backoff::Backoff;
use natter_store::error::StoreError;
use natter_store::rights::{Change, Ended, RightsStore};
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Time between two looks: as long as a change made elsewhere (another replica, an admin command) may go unnoticed.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Time between two signs of life.
const SIGN_OF_LIFE_EVERY: Duration = Duration::from_secs(2);
/// Longest wait for the store.
const STORE_TIMEOUT: Duration = Duration::from_secs(5);
/// Changes that are read at once.
pub(crate) const PAGE: u32 = 500;
/// Changes that may wait for one who watches. Whoever lags further behind is let go, and begins again.
const QUEUE: usize = 1024;

/// The changes of one store. Cheap to clone; all clones are one.
#[derive(Clone)]
pub(crate) struct Feed(Arc<Inner>);

struct Inner {
    store: Arc<dyn RightsStore>,
    news: broadcast::Sender<News>,
    /// Whether everything that is made from now on will be told.
    begun: watch::Sender<bool>,
    /// This process has written a change.
    written: Notify,
    /// A participant was removed.
    removed: Arc<Notify>,
    ended: CancellationToken,
}

/// What is told.
#[derive(Debug, Clone)]
pub(crate) enum News {
    /// A right has ended.
    Changed(Arc<Change>),
    /// That was all until now.
    UpToDate,
}

impl Feed {
    pub(crate) fn new(store: Arc<dyn RightsStore>) -> Self {
        Self(Arc::new(Inner {
            store,
            news: broadcast::Sender::new(QUEUE),
            begun: watch::Sender::new(false),
            written: Notify::new(),
            removed: Arc::new(Notify::new()),
            ended: CancellationToken::new(),
        }))
    }

    /// Looks again and again.
    pub(crate) async fn run(&self) {
        let mut last = self.begin().await;
        let mut is_away = false;
        let mut last_sign = Instant::now() - SIGN_OF_LIFE_EVERY;
        loop {
            match self.look(&mut last).await {
                Ok(()) => {
                    if std::mem::take(&mut is_away) {
                        info!("the store tells of rights again");
                    }
                    if last_sign.elapsed() >= SIGN_OF_LIFE_EVERY {
                        last_sign = Instant::now();
                        self.tell(News::UpToDate);
                    }
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_away, true) {
                        warn!(%error, "nobody is told of rights that end while the store is away");
                    }
                }
            }
            tokio::select! {
                () = time::sleep(LOOK_EVERY) => {}
                () = self.0.written.notified() => {}
            }
        }
    }

    /// Nothing more will be told.
    pub(crate) fn end(&self) {
        self.0.ended.cancel();
    }

    /// This process has just written a change.
    pub(crate) fn look_at_once(&self) {
        self.0.written.notify_one();
    }

    /// Wakes when a participant was removed.
    pub(crate) fn removals(&self) -> Arc<Notify> {
        Arc::clone(&self.0.removed)
    }

    /// What is told from now on, once it is sure that nothing is left out.
    pub(crate) async fn subscribe(&self) -> broadcast::Receiver<News> {
        // The sender is kept by this very feed.
        let _ = self.0.begun.subscribe().wait_for(|begun| *begun).await;
        self.0.news.subscribe()
    }

    /// Resolves when nothing more will be told.
    pub(crate) async fn ended(&self) {
        self.0.ended.cancelled().await;
    }

    async fn begin(&self) -> u64 {
        let mut backoff = patience();
        loop {
            match in_time(self.0.store.last_change()).await {
                Ok(last) => {
                    self.0.begun.send_replace(true);
                    return last;
                }
                Err(error) => warn!(%error, "nobody can be told of rights that end"),
            }
            backoff.wait().await;
        }
    }

    async fn look(&self, last: &mut u64) -> Result<(), StoreError> {
        loop {
            let page = in_time(self.0.store.changes(*last, PAGE)).await?;
            let is_last_page = page.len() < PAGE as usize;
            for change in page {
                *last = change.id;
                if let Ended::Participant { .. } = change.ended {
                    self.0.removed.notify_one();
                }
                self.tell(News::Changed(Arc::new(change)));
            }
            if is_last_page {
                return Ok(());
            }
        }
    }

    fn tell(&self, news: News) {
        // Nobody may be watching.
        let _ = self.0.news.send(news);
    }
}

/// The store's answer, if it comes in time.
pub(crate) async fn in_time<T>(answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let late = |_| Err(StoreError::Unavailable(format!("no answer within {STORE_TIMEOUT:?}")));
    time::timeout(STORE_TIMEOUT, answer).await.unwrap_or_else(late)
}

/// For attempts at something that must succeed in the end.
pub(crate) fn patience() -> Backoff {
    Backoff::between(Duration::from_millis(100), Duration::from_secs(2))
}

#[cfg(test)]
mod tests;
