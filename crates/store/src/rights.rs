//! What authz asks of a store about rights that end: revoked tokens, and participants who were removed.

use async_trait::async_trait;
use natter_model::id::{AccountId, ConversationId};
use natter_model::timestamp::Timestamp;

use crate::accounts::{Account, Participant, RefreshToken};
use crate::error::StoreError;

/// What ended, in an order that all who follow see alike: once a change has been seen, none with a lower id appears.
/// Changes that have expired may be missing, and count for nothing.
#[async_trait]
pub trait RightsStore: Send + Sync + 'static {
    /// The token is not to be accepted again, be it an access or a refresh token. `false`: it had been revoked before.
    async fn revoke_token(&self, token: &RevokedToken) -> Result<bool, StoreError>;

    /// The refresh token is not to be accepted again, whether it was recorded or not, and neither is the access token.
    /// `false`: the refresh token had been revoked before, and the access token stays.
    async fn revoke_refresh_token(
        &self,
        refresh: &RefreshToken,
        access: Option<&RevokedToken>,
    ) -> Result<bool, StoreError>;

    /// No token of the account that was made in this second or before is to be accepted again, refresh tokens included.
    async fn revoke_tokens_of(&self, tokens: &RevokedTokens) -> Result<(), StoreError>;

    /// The account takes part in the conversation no longer. The change is remembered until `expires_at`.
    async fn remove_participant(
        &self,
        conversation: ConversationId,
        account: AccountId,
        expires_at: Timestamp,
    ) -> Result<Removal, StoreError>;

    /// Has this token been revoked, alone or with all of its account's? One that does not say when it was made counts
    /// as made at 0.
    async fn is_token_revoked(&self, jti: &str, account: AccountId, issued_at_s: i64) -> Result<bool, StoreError>;

    /// The account of a token, and whether that token [is revoked](RightsStore::is_token_revoked): in one question, because
    /// it is asked of everybody who comes.
    async fn bearer(
        &self,
        account: AccountId,
        jti: &str,
        issued_at_s: i64,
    ) -> Result<Option<(Account, bool)>, StoreError>;

    /// The last second whose tokens of this account are revoked.
    async fn revoked_up_to(&self, account: AccountId) -> Result<Option<i64>, StoreError>;

    /// Up to `limit` changes behind `after`, in order. Fewer than `limit`: there are no more.
    async fn changes(&self, after: u64, limit: u32) -> Result<Vec<Change>, StoreError>;

    /// The id of the last change, or of one before that has expired; 0 if there is none.
    async fn last_change(&self) -> Result<u64, StoreError>;

    /// Up to `limit` removals that the log has not been told of, in order.
    async fn unannounced(&self, limit: u32) -> Result<Vec<Unannounced>, StoreError>;

    /// The log has been told of this removal.
    async fn mark_announced(&self, change_id: u64) -> Result<(), StoreError>;

    /// Does the log know of this removal? Also if the change has expired.
    async fn is_announced(&self, change_id: u64) -> Result<bool, StoreError>;

    /// Lets go of the changes and refresh tokens that had expired by `now`. How many there were.
    async fn forget_expired(&self, now: Timestamp) -> Result<u64, StoreError>;
}

/// Something that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its place in the order.
    pub id: u64,
    /// What it was.
    pub ended: Ended,
}

/// What ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// One token.
    Token(RevokedToken),
    /// All that an account had.
    Tokens(RevokedTokens),
    /// A part in a conversation.
    Participant {
        /// Where.
        conversation: ConversationId,
        /// Whose.
        account: AccountId,
    },
}

/// A token that was revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokedToken {
    /// Its unique id.
    pub jti: String,
    /// Whose it is, if that is known.
    pub account: Option<AccountId>,
    /// From then on it is refused anyway.
    pub expires_at: Timestamp,
}

/// The tokens of an account that were revoked together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokedTokens {
    /// Whose they are.
    pub account: AccountId,
    /// The last second in which such a token was made.
    pub issued_up_to_s: i64,
    /// From then on all of them are refused anyway.
    pub expires_at: Timestamp,
}

/// What removing a participant led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// They took part until now.
    Done {
        /// The change that it made.
        change_id: u64,
    },
    /// They were removed before.
    Before {
        /// The change that it made then.
        change_id: u64,
    },
    /// They do not take part, and nobody remembers that they did.
    NoParticipant,
}

/// A removal that the log has not been told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unannounced {
    /// Its change.
    pub change_id: u64,
    /// Where.
    pub conversation: ConversationId,
    /// Who. Without a name if the account is gone.
    pub participant: Participant,
    /// When.
    pub removed_at: Timestamp,
}
