//! What ended for some of the accounts.

use std::collections::HashMap;
use std::time::Duration;

use natter_model::id::{AccountId, ConversationId};
use natter_model::timestamp::Timestamp;
use tokio::time::Instant;

use crate::auth::Token;

/// As long as a removal is remembered: every socket has looked by then, and every handshake has ended.
const MEMORY_OF_REMOVALS: Duration = Duration::from_secs(60);

/// What ended for those accounts whose hash leads here. Holds only what still matters.
#[derive(Debug, Default)]
pub(crate) struct Shard {
    /// Revoked tokens by their ids, and when they expire.
    tokens: HashMap<Box<str>, Timestamp>,
    /// The last second whose tokens are revoked, and when the last of them expires.
    accounts: HashMap<AccountId, (i64, Timestamp)>,
    /// The change by which somebody was removed, and when it was told.
    removals: HashMap<(AccountId, ConversationId), (u64, Instant)>,
}

impl Shard {
    pub(super) fn revoke_token(&mut self, jti: &str, expires_at: Timestamp) {
        self.tokens.insert(jti.into(), expires_at);
    }

    pub(super) fn revoke_tokens_of(&mut self, account: AccountId, issued_up_to_s: i64, expires_at: Timestamp) {
        let revoked = self.accounts.entry(account).or_insert((issued_up_to_s, expires_at));
        *revoked = (revoked.0.max(issued_up_to_s), revoked.1.max(expires_at));
    }

    pub(super) fn remove(&mut self, account: AccountId, conversation: ConversationId, change_id: u64) {
        self.removals.insert((account, conversation), (change_id, Instant::now()));
    }

    /// Has this token of the account been taken back?
    pub(super) fn is_revoked(&self, account: AccountId, token: &Token) -> bool {
        self.tokens.contains_key(&token.jti)
            || self.accounts.get(&account).is_some_and(|(issued_up_to_s, _)| token.issued_at_s <= *issued_up_to_s)
    }

    /// Has the account been removed from the conversation by a change behind `known`?
    pub(super) fn is_removed(&self, account: AccountId, conversation: ConversationId, known: u64) -> bool {
        self.removals.get(&(account, conversation)).is_some_and(|(change_id, _)| *change_id > known)
    }

    /// Lets go of what no longer matters.
    pub(super) fn forget_expired(&mut self, now: Timestamp) {
        self.tokens.retain(|_, expires_at| *expires_at > now);
        self.accounts.retain(|_, (_, expires_at)| *expires_at > now);
        self.removals.retain(|_, (_, told_at)| told_at.elapsed() < MEMORY_OF_REMOVALS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HERE, account};

    const SOON: Timestamp = Timestamp::from_micros(2);

    fn token(jti: &str, issued_at_s: i64) -> Token {
        Token { jti: jti.into(), issued_at_s, expires_at: SOON }
    }

    #[test]
    fn tokens_are_revoked_by_name_or_by_the_second_they_were_made_in() {
        let mut shard = Shard::default();
        shard.revoke_token("stolen", SOON);
        assert!(shard.is_revoked(account(2), &token("stolen", 100)));
        assert!(!shard.is_revoked(account(2), &token("other", 100)));
        for second in [99, 98] {
            shard.revoke_tokens_of(account(2), second, SOON);
        }
        for (issued_at_s, expected) in [(0, true), (99, true), (100, false)] {
            assert_eq!(shard.is_revoked(account(2), &token("other", issued_at_s)), expected, "{issued_at_s}");
        }
        assert!(!shard.is_revoked(account(3), &token("other", 99)));
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_still_matters_is_kept() {
        let mut shard = Shard::default();
        shard.revoke_token("stolen", SOON);
        shard.revoke_tokens_of(account(2), 99, SOON);
        shard.remove(account(2), HERE, 7);
        shard.forget_expired(Timestamp::from_micros(1));
        assert!(shard.is_revoked(account(3), &token("stolen", 100)) && shard.is_revoked(account(2), &token("x", 1)));
        assert!(shard.is_removed(account(2), HERE, 6) && !shard.is_removed(account(2), HERE, 7));
        tokio::time::advance(MEMORY_OF_REMOVALS).await;
        shard.forget_expired(SOON);
        assert!(shard.tokens.is_empty() && shard.accounts.is_empty() && shard.removals.is_empty());
    }
}
