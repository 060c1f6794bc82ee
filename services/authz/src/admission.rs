//! May this account take part in this conversation?

use natter_model::id::{AccountId, ConversationId};
use natter_proto::v1;
use natter_proto::v1::admit_reply::Verdict;
use natter_store::accounts::Account;
use tonic::Status;

use crate::Authz;
use crate::reply::{self, ask};

impl Authz {
    pub(crate) async fn decide_admission(&self, request: v1::AdmitRequest) -> Result<v1::AdmitReply, Status> {
        let conversation = async {
            match ConversationId::new(request.conversation_id) {
                Some(id) => ask(self.store.conversation(id)).await,
                None => Ok(None),
            }
        };
        let bearer = async {
            match AccountId::new(request.account_id) {
                Some(id) => ask(self.rights.bearer(id, &request.jti, request.issued_at_s)).await,
                None => Ok(None),
            }
        };
        let (bearer, conversation) = tokio::try_join!(bearer, conversation)?;
        let Some((account, is_revoked)) = bearer else {
            return Ok(v1::AdmitReply { verdict: Verdict::NoSuchAccount.into(), account: None });
        };
        let verdict = match conversation {
            _ if is_revoked => Verdict::TokenRevoked,
            _ if !account.is_active => Verdict::InactiveAccount,
            None => Verdict::NoSuchConversation,
            Some(conversation) if conversation.participants.iter().any(|one| one.id == account.id) => Verdict::Admitted,
            Some(_) => Verdict::NotAParticipant,
        };
        Ok(v1::AdmitReply { verdict: verdict.into(), account: Some(reply::account(account)) })
    }

    pub(crate) async fn find_account(&self, request: v1::GetAccountRequest) -> Result<v1::GetAccountReply, Status> {
        let account = self.account(request.account_id).await?.map(reply::account);
        Ok(v1::GetAccountReply { account })
    }

    /// `None` also for a number that cannot be an id.
    pub(crate) async fn account(&self, id: u64) -> Result<Option<Account>, Status> {
        match AccountId::new(id) {
            Some(id) => ask(self.store.account(id)).await,
            None => Ok(None),
        }
    }
}
