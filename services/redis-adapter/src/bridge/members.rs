//! Who takes part in which conversation: asks authz, and remembers for a short time.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use natter_host::calls::Calls;
use natter_host::peer;
use natter_model::event::Actor;
use natter_model::id::{AccountId, ConversationId};
use natter_proto::v1;
use natter_proto::v1::authz_client::AuthzClient;
use tokio::time::Instant;

/// Conversations remembered at once. Some 200 bytes each.
const REMEMBERED: u64 = 100_000;
/// So long a change of participants may go unnoticed, as at the edges.
const REMEMBER: Duration = Duration::from_secs(5);
/// So long nobody is asked again about somebody who was not among the participants.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// Authz did not answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("authz is unavailable: {0}")]
pub(crate) struct AuthzUnavailable(String);

/// The participants of all conversations. Cheap to clone; all clones remember together.
#[derive(Clone)]
pub(crate) struct Members {
    authz: AuthzClient<Calls>,
    known: Cache<ConversationId, Arc<Answer>>,
}

struct Answer {
    participants: Vec<v1::Participant>,
    asked_at: Instant,
}

impl Members {
    /// Nothing is known yet.
    pub(crate) fn new(authz: AuthzClient<Calls>) -> Self {
        Self { authz, known: Cache::builder().max_capacity(REMEMBERED).time_to_live(REMEMBER).build() }
    }

    /// The participant with this username. `None`: nobody who takes part has it, or there is no such conversation.
    pub(crate) async fn find(
        &self,
        conversation: ConversationId,
        username: &str,
    ) -> Result<Option<Actor>, AuthzUnavailable> {
        let answer = self.ask(conversation).await?;
        match answer.actor(username) {
            None if answer.asked_at.elapsed() > ASK_AGAIN => {
                // Perhaps they take part only since.
                self.known.invalidate(&conversation).await;
                Ok(self.ask(conversation).await?.actor(username))
            }
            found => Ok(found),
        }
    }

    /// The participants have changed, or there are none any more.
    pub(crate) async fn forget(&self, conversation: ConversationId) {
        self.known.invalidate(&conversation).await;
    }

    /// Up to `limit` conversations with higher ids than this, by id. Fewer: there are no more.
    pub(crate) async fn conversations_after(
        &self,
        after: u64,
        limit: u32,
    ) -> Result<Vec<ConversationId>, AuthzUnavailable> {
        let page = self.page(after, limit).await?;
        Ok(page.iter().filter_map(|conversation| ConversationId::new(conversation.conversation_id)).collect())
    }

    async fn ask(&self, conversation: ConversationId) -> Result<Arc<Answer>, AuthzUnavailable> {
        let asking = async {
            let asked_at = Instant::now();
            let found = self.page(conversation.get() - 1, 1).await?.pop();
            let found = found.filter(|found| found.conversation_id == conversation.get());
            let participants = found.map(|found| found.participants).unwrap_or_default();
            Ok::<_, AuthzUnavailable>(Arc::new(Answer { participants, asked_at }))
        };
        self.known.try_get_with(conversation, asking).await.map_err(|error| AuthzUnavailable::clone(&error))
    }

    async fn page(&self, after: u64, limit: u32) -> Result<Vec<v1::Conversation>, AuthzUnavailable> {
        let reply = self.authz.clone().list_all_conversations(v1::ListAllConversationsRequest { after, limit }).await;
        let reply = reply.map_err(|status| AuthzUnavailable(peer::told(&status)))?;
        Ok(reply.into_inner().conversations)
    }
}

impl Answer {
    fn actor(&self, username: &str) -> Option<Actor> {
        let found = self.participants.iter().find(|participant| participant.username == username)?;
        Some(Actor { id: AccountId::new(found.account_id)?, username: found.username.clone() })
    }
}
