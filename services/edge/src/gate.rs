//! Who somebody is, and whether they may be in a conversation: asks authz, and remembers for a short time.

use std::sync::Arc;
use std::time::Duration;

use moka::Entry;
use moka::future::Cache;
use natter_host::calls::Calls;
use natter_model::event::Actor;
use natter_model::id::{AccountId, ConversationId};
use natter_model::timestamp::Timestamp;
use natter_proto::v1;
use natter_proto::v1::admit_reply::Verdict;
use natter_proto::v1::authz_client::AuthzClient;
use tokio::time::Instant;

use crate::auth::Token;
use crate::config::EdgeConfig;
use crate::metrics;

/// Answers remembered at once, of each kind. Some 200 bytes each.
const REMEMBERED: u64 = 100_000;
/// Longer than any answer is on its way.
const ON_ITS_WAY: Duration = Duration::from_secs(30);

/// The permission port. Cheap to clone; all clones remember together.
#[derive(Clone)]
pub(crate) struct Gate {
    authz: AuthzClient<Calls>,
    admissions: Cache<(AccountId, ConversationId), Admission>,
    accounts: Cache<AccountId, Arc<v1::Account>>,
    /// Conversations that were deleted a moment ago. authz hears of it last, so what it says of them is not remembered.
    deleted: Cache<ConversationId, ()>,
    /// When participants were removed. An answer that was on its way then may be from before.
    removed: Cache<(AccountId, ConversationId), Instant>,
}

/// A participant at the gate.
#[derive(Debug, Clone)]
pub(crate) struct Admission {
    /// The participant, under the name that authz knows.
    pub actor: Arc<Actor>,
    /// When authz was asked: the answer is not older.
    asked_at: Instant,
}

/// Why the gate stays shut.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GateError {
    /// There is no such account.
    #[error("no such account")]
    NoSuchAccount,
    /// The account is not active.
    #[error("the account is inactive")]
    InactiveAccount,
    /// There is no such conversation.
    #[error("no such conversation")]
    NoSuchConversation,
    /// The account does not take part.
    #[error("not a participant of the conversation")]
    NotAParticipant,
    /// The token was taken back.
    #[error("the token is revoked")]
    TokenRevoked,
    /// Nobody can say now.
    #[error("authz is unavailable: {0}")]
    Unavailable(String),
}

impl Gate {
    /// A gate that has asked nothing yet.
    pub(crate) fn new(authz: AuthzClient<Calls>, config: &EdgeConfig) -> Self {
        let admissions = Cache::builder()
            .max_capacity(REMEMBERED)
            .time_to_live(config.admission())
            .support_invalidation_closures()
            .build();
        let accounts = Cache::builder().max_capacity(REMEMBERED).time_to_live(config.admission()).build();
        let deleted = Cache::builder().max_capacity(REMEMBERED).time_to_live(config.admission()).build();
        let removed = Cache::builder().max_capacity(REMEMBERED).time_to_live(config.admission() + ON_ITS_WAY).build();
        Self { authz, admissions, accounts, deleted, removed }
    }

    /// Lets a participant in whose token has been checked. Only this is remembered, so that whoever was refused can come
    /// as soon as they may.
    pub(crate) async fn admit(&self, account: AccountId, conversation: ConversationId) -> Result<Admission, GateError> {
        let checked =
            Token { jti: Box::default(), issued_at_s: i64::MAX, expires_at: Timestamp::from_micros(i64::MAX) };
        self.admit_with(account, conversation, &checked).await
    }

    /// Lets a participant in who shows this token.
    pub(crate) async fn admit_with(
        &self,
        account: AccountId,
        conversation: ConversationId,
        token: &Token,
    ) -> Result<Admission, GateError> {
        let key = (account, conversation);
        if self.deleted.contains_key(&conversation) || self.removed.contains_key(&key) {
            return self.ask(account, conversation, token).await;
        }
        let known = self.admissions.entry(key).or_try_insert_with(self.ask(account, conversation, token)).await;
        if known.as_ref().is_ok_and(|known| !known.is_fresh()) {
            metrics::admitted_from_memory();
        }
        match known.map(Entry::into_value).map_err(|error| GateError::clone(&error)) {
            // Perhaps the token of somebody else who asked at the same moment.
            Err(GateError::TokenRevoked) => self.ask(account, conversation, token).await,
            other => other,
        }
    }

    /// Checks the admission of somebody who got their place in the conversation's room after it: of those who were removed
    /// before `opened_at`, the room knows nothing. Where the admission may be from before, authz is asked again. Returns the
    /// admission that counts.
    pub(crate) async fn confirm(
        &self,
        admission: Admission,
        conversation: ConversationId,
        token: &Token,
        opened_at: Instant,
    ) -> Result<Admission, GateError> {
        let account = admission.actor.id;
        let removed_at = self.removed.get(&(account, conversation)).await;
        if admission.asked_at >= opened_at && removed_at.is_none_or(|removed_at| admission.asked_at >= removed_at) {
            return Ok(admission);
        }
        let again = self.ask(account, conversation, token).await?;
        if removed_at.is_none() {
            self.remember(again.clone(), conversation).await;
        }
        Ok(again)
    }

    /// This admission is as good as new.
    pub(crate) async fn remember(&self, admission: Admission, conversation: ConversationId) {
        self.admissions.insert((admission.actor.id, conversation), admission).await;
    }

    /// The account, active or not. `None`: there is no such account.
    pub(crate) async fn account(&self, id: AccountId) -> Result<Option<Arc<v1::Account>>, GateError> {
        match self.accounts.try_get_with(id, self.fetch(id)).await.map_err(|error| GateError::clone(&error)) {
            Ok(account) => Ok(Some(account)),
            Err(GateError::NoSuchAccount) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// For the questions that are not remembered.
    pub(crate) fn authz(&self) -> AuthzClient<Calls> {
        self.authz.clone()
    }

    /// The conversation is deleted: nobody is let into it any more without asking.
    pub(crate) async fn forget_conversation(&self, conversation: ConversationId) {
        self.deleted.insert(conversation, ()).await;
        let forgotten = self.admissions.invalidate_entries_if(move |(_, of), _| *of == conversation);
        forgotten.expect("the cache supports invalidation closures");
    }

    /// The account was removed from the conversation: it is not let in any more without asking.
    pub(crate) async fn forget(&self, account: AccountId, conversation: ConversationId) {
        self.removed.insert((account, conversation), Instant::now()).await;
        self.admissions.invalidate(&(account, conversation)).await;
    }

    /// Lets go of what is too old to be used.
    pub(crate) async fn forget_the_old(&self) {
        self.admissions.run_pending_tasks().await;
        self.accounts.run_pending_tasks().await;
        self.deleted.run_pending_tasks().await;
        self.removed.run_pending_tasks().await;
    }

    async fn ask(
        &self,
        account: AccountId,
        conversation: ConversationId,
        token: &Token,
    ) -> Result<Admission, GateError> {
        let asked_at = Instant::now();
        let request = v1::AdmitRequest {
            account_id: account.get(),
            conversation_id: conversation.get(),
            jti: token.jti.to_string(),
            issued_at_s: token.issued_at_s,
        };
        let reply = self.authz().admit(request).await;
        metrics::admission_asked(asked_at.elapsed());
        let reply = reply.map_err(|status| unavailable(&status))?.into_inner();
        match reply.verdict() {
            Verdict::Admitted => {
                let username = reply.account.ok_or_else(senseless)?.username;
                Ok(Admission { actor: Arc::new(Actor { id: account, username }), asked_at })
            }
            Verdict::NoSuchAccount => Err(GateError::NoSuchAccount),
            Verdict::InactiveAccount => Err(GateError::InactiveAccount),
            Verdict::NoSuchConversation => Err(GateError::NoSuchConversation),
            Verdict::NotAParticipant => Err(GateError::NotAParticipant),
            Verdict::TokenRevoked => Err(GateError::TokenRevoked),
            Verdict::Unspecified => Err(senseless()),
        }
    }

    async fn fetch(&self, id: AccountId) -> Result<Arc<v1::Account>, GateError> {
        let request = v1::GetAccountRequest { account_id: id.get() };
        let reply = self.authz().get_account(request).await.map_err(|status| unavailable(&status))?.into_inner();
        reply.account.map(Arc::new).ok_or(GateError::NoSuchAccount)
    }
}

fn unavailable(status: &tonic::Status) -> GateError {
    GateError::Unavailable(format!("{:?}: {}", status.code(), status.message()))
}

fn senseless() -> GateError {
    GateError::Unavailable("its answer makes no sense".to_owned())
}
