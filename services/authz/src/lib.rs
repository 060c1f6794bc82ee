//! Authz: who there is, who may take part where, and the tokens that prove it.

mod admission;
mod announcer;
pub mod config;
mod conversations;
mod feed;
mod metrics;
mod passwords;
mod reply;
mod revocation;
mod service;
mod tokens;
mod watcher;

use std::sync::Arc;

use natter_identity::minter::Minter;
use natter_keys::Tokens;
use natter_log::port::Log;
use natter_store::accounts::AccountStore;
use natter_store::rights::RightsStore;
use tokio_util::sync::CancellationToken;

use crate::feed::Feed;
use crate::passwords::Passwords;

/// The service, as gRPC calls it (`natter.v1.Authz`). Cheap to clone.
#[derive(Clone)]
pub struct Authz {
    store: Arc<dyn AccountStore>,
    rights: Arc<dyn RightsStore>,
    minter: Arc<Minter>,
    tokens: Tokens,
    passwords: Passwords,
    feed: Feed,
}

impl Authz {
    /// Answers from `store`, signs with `minter`, and takes back what `tokens` accepts. Nobody hears of rights that
    /// end before [`Authz::follow_rights`] runs.
    pub fn new(store: Arc<impl AccountStore + RightsStore>, minter: Minter, tokens: impl Into<Tokens>) -> Self {
        metrics::describe();
        Self {
            store: store.clone(),
            rights: store.clone(),
            minter: Arc::new(minter),
            tokens: tokens.into(),
            passwords: Passwords::on_this_machine(),
            feed: Feed::new(store),
        }
    }

    /// Tells those who watch of rights that end, and the log of participants who were removed, until `drain` is
    /// cancelled. Any number of replicas may do so. While the log is away, everything else goes on.
    pub async fn follow_rights(&self, log: Arc<dyn Log>, drain: CancellationToken) {
        let announcing = announcer::announce(&*self.rights, &*log, self.feed.removals());
        tokio::select! {
            () = self.feed.run() => {}
            () = announcing => {}
            () = announcer::forget_the_expired(&*self.rights) => {}
            () = drain.cancelled() => {}
        }
        self.feed.end();
    }
}
