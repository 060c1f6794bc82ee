//! What authz asks of a store: accounts, conversations with their participants, and refresh tokens.

use std::fmt;

use async_trait::async_trait;
use natter_model::id::{AccountId, ConversationId};
use natter_model::timestamp::Timestamp;

use crate::error::StoreError;

/// Who there is, and who may talk where.
#[async_trait]
pub trait AccountStore: Send + Sync + 'static {
    /// The account with this id.
    async fn account(&self, id: AccountId) -> Result<Option<Account>, StoreError>;

    /// The account with exactly this username.
    async fn account_by_username(&self, username: &str) -> Result<Option<Account>, StoreError>;

    /// Those with this email, by id, compared without regard to case (of ASCII letters in any case; of others as far as
    /// the database does); an empty email belongs to nobody.
    async fn accounts_by_email(&self, email: &str) -> Result<Vec<Account>, StoreError>;

    /// Makes an account with the next free id. `None`: the username is taken.
    async fn create_account(&self, account: &NewAccount) -> Result<Option<AccountId>, StoreError>;

    /// Puts `new` in place of `old`, the hash the account had when it was read. `false`: it has another one by now, or
    /// is gone; nothing changes.
    async fn set_password_hash(&self, account: AccountId, old: &str, new: &str) -> Result<bool, StoreError>;

    /// Up to `limit` accounts behind this one, by id. `None`: from the first. Fewer than `limit`: there are no more.
    async fn accounts_after(&self, after: Option<AccountId>, limit: u32) -> Result<Vec<Account>, StoreError>;

    /// Ids below this belong to another system, whose accounts and conversations are brought in with them; those made
    /// here have this id or a higher one from now on. `false`: some were made here below it, and nothing changes.
    async fn reserve_ids(&self, below: u64) -> Result<bool, StoreError>;

    /// Brings in accounts with the ids they have; later ids continue behind the highest. One that is there already (by
    /// id) becomes as it is here. Refused: whose username somebody else has.
    async fn import_accounts(&self, accounts: &[Account]) -> Result<Imported, StoreError>;

    /// The conversation with this id.
    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, StoreError>;

    /// Up to `limit` conversations behind this one, of whomever, by id. `None`: from the first. Fewer than `limit`: there
    /// are no more.
    async fn conversations_after(
        &self,
        after: Option<ConversationId>,
        limit: u32,
    ) -> Result<Vec<Conversation>, StoreError>;

    /// Those the account takes part in, by id. With `search`: only those where another participant's username
    /// contains it, compared without regard to case.
    async fn conversations_of(&self, account: AccountId, search: Option<&str>)
    -> Result<Vec<Conversation>, StoreError>;

    /// The conversation with the lowest id that holds both, made if there is none: also when several ask at the
    /// same moment. Both accounts exist, and differ.
    async fn start_conversation(&self, one: AccountId, other: AccountId) -> Result<Started, StoreError>;

    /// The conversation is gone, and its id is never used again. `false`: it was not there.
    async fn delete_conversation(&self, id: ConversationId) -> Result<bool, StoreError>;

    /// Brings in conversations with the ids they have; later ids continue behind the highest. One that is there already
    /// gets the participants that it lacks. Who was removed from it stays removed, as long as that is remembered.
    /// Refused: in which somebody takes part who is not there.
    async fn import_conversations(&self, conversations: &[Conversation]) -> Result<Imported, StoreError>;

    /// Brings in refresh tokens that another system handed out. What was revoked, here or there, stays revoked.
    async fn import_refresh_tokens(&self, tokens: &[KnownToken]) -> Result<Imported, StoreError>;

    /// Remembers a refresh token that was handed out, so that it can be revoked with all of its account's.
    async fn record_refresh_token(&self, token: &RefreshToken) -> Result<(), StoreError>;

    /// Has the token with this `jti` been revoked?
    async fn is_refresh_token_revoked(&self, jti: &str) -> Result<bool, StoreError>;

    /// Can questions be answered now?
    async fn ready(&self) -> Result<(), StoreError>;
}

/// A person, or something that acts as one.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Unique, at most 150 characters.
    pub username: String,
    /// May be empty, need not be unique.
    pub email: String,
    /// A Django password hash.
    pub password_hash: String,
    /// May log in and use REST.
    pub is_active: bool,
    /// What it is on the platform around the chat: `trainer`, `trainee`, ...
    pub profile_types: Vec<String>,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("id", &self.id).field("username", &self.username).finish_non_exhaustive()
    }
}

/// An account to be made.
#[derive(Clone)]
pub struct NewAccount {
    /// Unique, at most 150 characters.
    pub username: String,
    /// May be empty.
    pub email: String,
    /// A Django password hash.
    pub password_hash: String,
    /// See [`Account::profile_types`].
    pub profile_types: Vec<String>,
}

/// The longest username, in characters.
pub const MAX_USERNAME_CHARS: usize = 150;

/// Refuses a username or email that not every store can keep.
pub fn check_names(username: &str, email: &str) -> Result<(), StoreError> {
    if username.is_empty() || username.chars().nth(MAX_USERNAME_CHARS).is_some() {
        return Err(StoreError::Rejected(format!("a username has 1 to {MAX_USERNAME_CHARS} characters")));
    }
    if username.contains('\0') || email.contains('\0') {
        return Err(StoreError::Rejected("a username or email contains U+0000".to_owned()));
    }
    Ok(())
}

/// A conversation and who takes part in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// When it was started.
    pub created_at: Timestamp,
    /// Who takes part, by id.
    pub participants: Vec<Participant>,
}

impl Conversation {
    /// Conversations out of joined rows, one per participant (none for a conversation of nobody), ordered by
    /// conversation.
    pub fn gather(rows: impl IntoIterator<Item = (ConversationId, Timestamp, Option<Participant>)>) -> Vec<Self> {
        let mut conversations: Vec<Self> = Vec::new();
        for (id, created_at, participant) in rows {
            match conversations.last_mut() {
                Some(last) if last.id == id => last.participants.extend(participant),
                _ => conversations.push(Self { id, created_at, participants: participant.into_iter().collect() }),
            }
        }
        conversations
    }

    /// Does the username of somebody other than `account` contain `text`, without regard to case? By Unicode's rules in
    /// every store, whatever the database's locale.
    pub fn has_other_like(&self, account: AccountId, text: &str) -> bool {
        let text = text.to_lowercase();
        self.participants
            .iter()
            .any(|participant| participant.id != account && participant.username.to_lowercase().contains(&text))
    }
}

/// One who takes part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// The account.
    pub id: AccountId,
    /// Its username.
    pub username: String,
}

/// What starting a conversation led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// The conversation.
    pub conversation: Conversation,
    /// It was not there before.
    pub created: bool,
}

/// What is remembered of a refresh token: never the token itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshToken {
    /// Its unique id.
    pub jti: String,
    /// Whose it is.
    pub account: AccountId,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// A refresh token of another system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownToken {
    /// Which.
    pub token: RefreshToken,
    /// It was taken back there.
    pub is_revoked: bool,
}

/// What bringing in rows of another system led to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Imported {
    /// Rows that were new, or have changed.
    pub n_changed: u64,
    /// Rows that were left out, by their ids.
    pub refused: Vec<Refused>,
}

/// A row of another system that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its id.
    pub id: u64,
    /// Why, for a person to read.
    pub reason: String,
}
