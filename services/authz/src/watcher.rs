//! One who watches rights: first all that ended before, then what ends.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::stream::{self, Stream};
use natter_proto::v1;
use natter_proto::v1::rights_change::{Change as Kind, ParticipantRemoved, TokenRevoked, TokensRevoked, UpToDate};
use natter_store::rights::{Change, Ended, RightsStore};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tonic::Status;
use tracing::warn;

use crate::Authz;
use crate::feed::{Feed, News, PAGE, in_time};

struct Watcher {
    feed: Feed,
    store: Arc<dyn RightsStore>,
    /// What happens. `None`: it is too early for that.
    news: Option<Receiver<News>>,
    /// The last change it was told of.
    told: u64,
    stage: Stage,
}

enum Stage {
    /// Nothing was done yet.
    Begun,
    /// What ended before is being told, so many at a time.
    Past(VecDeque<Change>),
    /// What ends is being told.
    Present,
    Over,
}

impl Authz {
    /// The changes behind `after`, in order, then those to come. Ends when the feed does, the store is away at the
    /// start, or whoever reads it is too slow.
    pub(crate) fn watch(&self, after: u64) -> impl Stream<Item = Result<v1::RightsChange, Status>> + Send + 'static {
        let (feed, store) = (self.feed.clone(), Arc::clone(&self.rights));
        let watcher = Watcher { feed, store, news: None, told: after, stage: Stage::Begun };
        stream::unfold(watcher, async |mut watcher| {
            let item = watcher.next().await?;
            if item.is_err() {
                watcher.stage = Stage::Over;
            }
            Some((item, watcher))
        })
    }
}

impl Watcher {
    async fn next(&mut self) -> Option<Result<v1::RightsChange, Status>> {
        let feed = self.feed.clone();
        tokio::select! {
            item = self.advance() => item,
            () = feed.ended() => None,
        }
    }

    /// Safe to drop while waiting: what was not told yet is told next time.
    async fn advance(&mut self) -> Option<Result<v1::RightsChange, Status>> {
        loop {
            match &mut self.stage {
                Stage::Begun => {
                    // Before reading what there is, so that nothing falls between the two.
                    self.news = Some(self.feed.subscribe().await);
                    self.stage = Stage::Past(VecDeque::new());
                }
                Stage::Past(page) => {
                    if let Some(change) = page.pop_front() {
                        return Some(Ok(self.tell(&change)));
                    }
                    match in_time(self.store.changes(self.told, PAGE)).await {
                        Ok(next) if next.is_empty() => {
                            self.stage = Stage::Present;
                            return Some(Ok(self.up_to_date()));
                        }
                        Ok(next) => *page = next.into(),
                        Err(error) => {
                            warn!(%error, "nobody can be told of rights that ended");
                            return Some(Err(Status::unavailable("the account store cannot be reached")));
                        }
                    }
                }
                Stage::Present => match self.news.as_mut()?.recv().await {
                    Ok(News::Changed(change)) if change.id > self.told => return Some(Ok(self.tell(&change))),
                    Ok(News::Changed(_)) => {}
                    Ok(News::UpToDate) => return Some(Ok(self.up_to_date())),
                    Err(RecvError::Lagged(n_missed)) => {
                        warn!(n_missed, "one who watches rights is too slow, and has to begin again");
                        return Some(Err(Status::aborted("too slow")));
                    }
                    Err(RecvError::Closed) => return None,
                },
                Stage::Over => return None,
            }
        }
    }

    fn tell(&mut self, change: &Change) -> v1::RightsChange {
        self.told = change.id;
        let kind = match &change.ended {
            Ended::Token(token) => Kind::TokenRevoked(TokenRevoked {
                jti: token.jti.clone(),
                expires_at_us: token.expires_at.as_micros(),
                account_id: token.account.map_or(0, |account| account.get()),
            }),
            Ended::Tokens(tokens) => Kind::TokensRevoked(TokensRevoked {
                account_id: tokens.account.get(),
                issued_up_to_s: tokens.issued_up_to_s,
                expires_at_us: tokens.expires_at.as_micros(),
            }),
            Ended::Participant { conversation, account } => Kind::ParticipantRemoved(ParticipantRemoved {
                account_id: account.get(),
                conversation_id: conversation.get(),
            }),
        };
        v1::RightsChange { change_id: change.id, change: Some(kind) }
    }

    fn up_to_date(&self) -> v1::RightsChange {
        v1::RightsChange { change_id: self.told, change: Some(Kind::UpToDate(UpToDate {})) }
    }
}
