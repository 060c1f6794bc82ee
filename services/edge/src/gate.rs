//! Who somebody is, and whether they may be in a conversation: asks authz, and remembers for a short time.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use natter_model::event::Actor;
use natter_model::id::{AccountId, ConversationId};
use natter_proto::v1;
use natter_proto::v1::admit_reply::Verdict;
use natter_proto::v1::authz_client::AuthzClient;
use tonic::transport::Channel;

use crate::config::EdgeConfig;

/// Answers remembered at once, of each kind. Some 200 bytes each.
const REMEMBERED: u64 = 100_000;
/// Time between two looks for answers that are too old.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// The permission port. Cheap to clone; all clones remember together.
#[derive(Clone)]
pub(crate) struct Gate {
    authz: AuthzClient<Channel>,
    admissions: Cache<(AccountId, ConversationId), Admission>,
    accounts: Cache<AccountId, Arc<v1::Account>>,
    /// Conversations that were deleted a moment ago. authz hears of it last, so what it says of them is not remembered.
    deleted: Cache<ConversationId, ()>,
}

/// A participant at the gate.
#[derive(Debug, Clone)]
pub(crate) struct Admission {
    /// The participant, under the name that authz knows.
    pub actor: Arc<Actor>,
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
    /// Nobody can say now.
    #[error("authz is unavailable: {0}")]
    Unavailable(String),
}

impl Gate {
    /// A gate that has asked nothing yet.
    pub(crate) fn new(authz: AuthzClient<Channel>, config: &EdgeConfig) -> Self {
        let admissions = Cache::builder()
            .max_capacity(REMEMBERED)
            .time_to_live(config.admission())
            .support_invalidation_closures()
            .build();
        let accounts = Cache::builder().max_capacity(REMEMBERED).time_to_live(config.admission()).build();
        let deleted = Cache::builder().max_capacity(REMEMBERED).time_to_live(config.admission()).build();
        Self { authz, admissions, accounts, deleted }
    }

    /// Lets a participant in. Only this is remembered, so that whoever was refused can come as soon as they may.
    pub(crate) async fn admit(&self, account: AccountId, conversation: ConversationId) -> Result<Admission, GateError> {
        if self.deleted.contains_key(&conversation) {
            return self.ask(account, conversation).await;
        }
        let asked = self.admissions.try_get_with((account, conversation), self.ask(account, conversation)).await;
        asked.map_err(|error| GateError::clone(&error))
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
    pub(crate) fn authz(&self) -> AuthzClient<Channel> {
        self.authz.clone()
    }

    /// The conversation is deleted: nobody is let into it any more without asking.
    pub(crate) async fn forget_conversation(&self, conversation: ConversationId) {
        self.deleted.insert(conversation, ()).await;
        let forgotten = self.admissions.invalidate_entries_if(move |(_, of), _| *of == conversation);
        forgotten.expect("the cache supports invalidation closures");
    }

    /// Lets go of what is too old to be used, again and again. Otherwise it would be kept until there is new.
    pub(crate) async fn forget_the_old(&self) {
        let mut ticks = tokio::time::interval(SWEEP_EVERY);
        loop {
            ticks.tick().await;
            self.admissions.run_pending_tasks().await;
            self.accounts.run_pending_tasks().await;
            self.deleted.run_pending_tasks().await;
        }
    }

    async fn ask(&self, account: AccountId, conversation: ConversationId) -> Result<Admission, GateError> {
        let request = v1::AdmitRequest { account_id: account.get(), conversation_id: conversation.get() };
        let reply = self.authz().admit(request).await.map_err(|status| unavailable(&status))?.into_inner();
        match reply.verdict() {
            Verdict::Admitted => {
                let username = reply.account.ok_or_else(senseless)?.username;
                Ok(Admission { actor: Arc::new(Actor { id: account, username }) })
            }
            Verdict::NoSuchAccount => Err(GateError::NoSuchAccount),
            Verdict::InactiveAccount => Err(GateError::InactiveAccount),
            Verdict::NoSuchConversation => Err(GateError::NoSuchConversation),
            Verdict::NotAParticipant => Err(GateError::NotAParticipant),
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
