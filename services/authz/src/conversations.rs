//! Conversations as their participants see them: to everybody else they are not there.

use natter_model::id::ConversationId;
use natter_proto::v1;
use natter_store::accounts::Conversation;
use tonic::Status;

use crate::Authz;
use crate::reply::{self, account_id, ask};

/// Conversations in one answer, at most.
const LONGEST_PAGE: u32 = 1000;

impl Authz {
    pub(crate) async fn start(
        &self,
        request: v1::StartConversationRequest,
    ) -> Result<v1::StartConversationReply, Status> {
        if request.account_id == request.other_account_id {
            return Err(Status::invalid_argument("a conversation needs two accounts"));
        }
        let (account, other) =
            tokio::try_join!(self.account(request.account_id), self.account(request.other_account_id))?;
        let account = account.ok_or_else(|| Status::not_found("no such account"))?;
        let Some(other) = other else {
            return Ok(v1::StartConversationReply { conversation: None, created: false });
        };
        let started = ask(self.store.start_conversation(account.id, other.id)).await?;
        Ok(v1::StartConversationReply {
            conversation: Some(reply::conversation(started.conversation)),
            created: started.created,
        })
    }

    pub(crate) async fn list(
        &self,
        request: v1::ListConversationsRequest,
    ) -> Result<v1::ListConversationsReply, Status> {
        let search = Some(request.search.as_str()).filter(|search| !search.is_empty());
        let conversations = ask(self.store.conversations_of(account_id(request.account_id)?, search)).await?;
        Ok(v1::ListConversationsReply { conversations: conversations.into_iter().map(reply::conversation).collect() })
    }

    pub(crate) async fn list_all(
        &self,
        request: v1::ListAllConversationsRequest,
    ) -> Result<v1::ListAllConversationsReply, Status> {
        if !(1..=LONGEST_PAGE).contains(&request.limit) {
            return Err(Status::invalid_argument("limit is out of range"));
        }
        let after = ConversationId::new(request.after);
        // No conversation has an id beyond those that can be one.
        let conversations = match after {
            None if request.after > 0 => Vec::new(),
            _ => ask(self.store.conversations_after(after, request.limit)).await?,
        };
        let conversations = conversations.into_iter().map(reply::conversation).collect();
        Ok(v1::ListAllConversationsReply { conversations })
    }

    pub(crate) async fn conversation_of(&self, account: u64, conversation: u64) -> Result<Conversation, Status> {
        let account = account_id(account)?;
        let no_such = || Status::not_found("no such conversation");
        let id = ConversationId::new(conversation).ok_or_else(no_such)?;
        ask(self.store.conversation(id))
            .await?
            .filter(|found| found.participants.iter().any(|one| one.id == account))
            .ok_or_else(no_such)
    }

    pub(crate) async fn delete(&self, request: v1::DeleteConversationRequest) -> Result<(), Status> {
        let conversation = self.conversation_of(request.account_id, request.conversation_id).await?;
        if ask(self.store.delete_conversation(conversation.id)).await? {
            Ok(())
        } else {
            Err(Status::not_found("no such conversation"))
        }
    }
}
