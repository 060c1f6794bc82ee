//! Rights that ended, kept in memory: for those who come, and for the sockets that are here.

mod feed;
mod shard;

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use natter_model::id::{AccountId, ConversationId};
use natter_model::timestamp::Timestamp;
use tokio::sync::watch;

use crate::auth::Token;
use crate::rights::shard::Shard;

/// Parts by account. A socket is woken by what ends for one account in so many, instead of by everything; for that it
/// keeps one receiver, and nobody keeps a list of sockets.
const SHARDS: usize = 256;

/// What has been taken back, as far as authz has told. Cheap to clone; all clones are one.
#[derive(Clone)]
pub(crate) struct Rights(Arc<Inner>);

struct Inner {
    shards: Vec<watch::Sender<Shard>>,
    hasher: RandomState,
    /// Revoked tokens of which authz does not know whose they are.
    nobodys: watch::Sender<Shard>,
    progress: watch::Sender<Progress>,
}

/// How far authz has told.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    /// The last change that was told.
    last_change: u64,
    /// Everything until some moment has been told.
    is_known: bool,
    /// Everything until now has been told, as far as one can know.
    is_followed: bool,
}

impl Rights {
    /// Nothing is known yet.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner {
            shards: (0..SHARDS).map(|_| watch::Sender::default()).collect(),
            hasher: RandomState::new(),
            nobodys: watch::Sender::default(),
            progress: watch::Sender::default(),
        }))
    }

    /// Has this token of the account been taken back?
    pub(crate) fn is_revoked(&self, account: AccountId, token: &Token) -> bool {
        self.shard(account).borrow().is_revoked(account, token) || self.0.nobodys.borrow().is_revoked(account, token)
    }

    /// Has the account been removed from the conversation by a change behind `known`? Only remembered for a minute.
    pub(crate) fn is_removed(&self, account: AccountId, conversation: ConversationId, known: u64) -> bool {
        self.shard(account).borrow().is_removed(account, conversation, known)
    }

    /// The last change that authz has told of.
    pub(crate) fn last_change(&self) -> u64 {
        self.0.progress.borrow().last_change
    }

    /// Is what ends told at once, at present?
    pub(crate) fn is_followed(&self) -> bool {
        self.0.progress.borrow().is_followed
    }

    /// Resolves when all that ended before is known.
    pub(crate) async fn known(&self) {
        // The sender is kept by this very value.
        let _ = self.0.progress.subscribe().wait_for(|progress| progress.is_known).await;
    }

    /// Changes whenever something ends from now on, perhaps for this account.
    pub(crate) fn changes(&self, account: AccountId) -> watch::Receiver<Shard> {
        self.shard(account).subscribe()
    }

    /// The token is good no longer.
    pub(crate) fn revoke_token(&self, account: Option<AccountId>, jti: &str, expires_at: Timestamp) {
        match account {
            Some(account) => self.shard(account).send_modify(|shard| shard.revoke_token(jti, expires_at)),
            None => {
                self.0.nobodys.send_modify(|nobodys| nobodys.revoke_token(jti, expires_at));
                self.0.shards.iter().for_each(|shard| shard.send_modify(|_| ()));
            }
        }
    }

    /// The account's tokens that were made in this second or before are good no longer.
    pub(crate) fn revoke_tokens_of(&self, account: AccountId, issued_up_to_s: i64, expires_at: Timestamp) {
        self.shard(account).send_modify(|shard| shard.revoke_tokens_of(account, issued_up_to_s, expires_at));
    }

    /// Makes the account's sockets look again.
    pub(crate) fn wake(&self, account: AccountId) {
        self.shard(account).send_modify(|_| ());
    }

    /// The account takes part in the conversation no longer, by this change.
    pub(crate) fn remove(&self, account: AccountId, conversation: ConversationId, change_id: u64) {
        self.shard(account).send_modify(|shard| shard.remove(account, conversation, change_id));
    }

    fn forget_expired(&self, now: Timestamp) {
        for shard in self.0.shards.iter().chain([&self.0.nobodys]) {
            // Nobody needs to look again.
            shard.send_if_modified(|shard| {
                shard.forget_expired(now);
                false
            });
        }
    }

    fn shard(&self, account: AccountId) -> &watch::Sender<Shard> {
        let hash = self.0.hasher.hash_one(account);
        &self.0.shards[usize::try_from(hash % SHARDS as u64).unwrap_or_default()]
    }
}
