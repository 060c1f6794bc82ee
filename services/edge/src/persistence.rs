//! Questions to persistence that something else can answer too: asked briefly, and not for a moment after no answer.

use std::time::Duration;

use natter_host::calls::Calls;
use natter_model::id::{AccountId, ConversationId, Position};
use natter_model::timestamp::Timestamp;
use natter_proto::v1;
use natter_proto::v1::messages_client::MessagesClient;
use tokio::sync::Semaphore;
use tonic::{Code, Request, Response, Status};
use tracing::warn;

use crate::breaker::Breaker;
use crate::page::Page;

/// Entries of a page.
const PAGE_ENTRIES: u32 = 2000;
/// Pages that are read at a time. More would only wait at persistence instead of here.
const PAGES_AT_ONCE: usize = 32;
/// Longest wait for a page.
const PAGE_PATIENCE: Duration = Duration::from_secs(2);
/// Longest wait for whether a message was posted before. Its sender waits that long, so it is short: the log can tell too.
const POSTED_PATIENCE: Duration = Duration::from_millis(500);
/// How long it is left alone after it did not answer.
const LEFT_ALONE: Duration = Duration::from_secs(2);

/// Persistence, as long as it answers.
pub(crate) struct Persistence {
    messages: MessagesClient<Calls>,
    pages_at_once: Semaphore,
    breaker: Breaker,
}

/// There is no answer now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("persistence does not answer")]
pub(crate) struct Away;

/// A message that was posted before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Posted {
    /// Where it stands.
    pub position: Position,
    /// When it was posted.
    pub at: Timestamp,
}

impl Persistence {
    /// The one that this leads to.
    pub(crate) fn new(messages: MessagesClient<Calls>) -> Self {
        Self { messages, pages_at_once: Semaphore::new(PAGES_AT_ONCE), breaker: Breaker::new(LEFT_ALONE) }
    }

    /// What comes behind `after`.
    pub(crate) async fn page(&self, conversation: ConversationId, after: Position) -> Result<Page, Away> {
        let _permit = self.pages_at_once.acquire().await.map_err(|_| Away)?;
        let (conversation_id, since) = (conversation.get(), after.get());
        let question = v1::CatchUpRequest { conversation_id, since, limit: PAGE_ENTRIES };
        let reply = self.ask(question, PAGE_PATIENCE, async |client, question| client.catch_up(question).await).await?;
        Page::of_reply(after, reply).map_err(|error| {
            warn!(%conversation, %after, %error, "persistence told of impossible events");
            Away
        })
    }

    /// The message that the account posted under its own name for it. Knows all that is older than a minute.
    pub(crate) async fn posted(
        &self,
        conversation: ConversationId,
        account: AccountId,
        client_id: &str,
    ) -> Result<Option<Posted>, Away> {
        let (conversation_id, account_id) = (conversation.get(), account.get());
        let question = v1::FindResendRequest { conversation_id, account_id, client_id: client_id.to_owned() };
        let reply =
            self.ask(question, POSTED_PATIENCE, async |client, question| client.find_resend(question).await).await?;
        let at = Timestamp::from_micros(reply.timestamp_us);
        Ok(reply.message_id.map(|id| Posted { position: Position::new(id), at }))
    }

    async fn ask<Q, R>(
        &self,
        question: Q,
        patience: Duration,
        ask: impl AsyncFnOnce(&mut MessagesClient<Calls>, Request<Q>) -> Result<Response<R>, Status>,
    ) -> Result<R, Away> {
        if !self.breaker.lets_through() {
            return Err(Away);
        }
        let mut request = Request::new(question);
        request.set_timeout(patience);
        match ask(&mut self.messages.clone(), request).await {
            Ok(reply) => {
                self.breaker.close();
                Ok(reply.into_inner())
            }
            Err(status) => {
                warn!(code = ?status.code(), error = status.message(), "persistence does not answer");
                if is_away(&status) {
                    self.breaker.open();
                } else {
                    self.breaker.close();
                }
                Err(Away)
            }
        }
    }
}

/// Does it not answer anybody, or only not this question?
fn is_away(status: &Status) -> bool {
    !matches!(status.code(), Code::InvalidArgument | Code::Internal | Code::OutOfRange | Code::ResourceExhausted)
}
