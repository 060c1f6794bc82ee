//! What has been said: from the store, once it knows everything that the log had taken when the question came.

use std::sync::Arc;

use async_trait::async_trait;
use natter_log::port::{Backlog, Log, LogError};
use natter_model::id::{AccountId, ConversationId, MessageId, Position};
use natter_proto::v1;
use natter_proto::v1::list_messages_request;
use natter_proto::v1::messages_server::Messages;
use natter_store::messages::{Deleted, MessageStore, Order, PageNumber, PageQuery};
use tonic::{Request, Response, Status};

use crate::catch_up::CatchUp;
use crate::lag::Lag;
use crate::read_repair::ReadRepair;
use crate::reply::{self, Trouble, answer, conversation_id};
use crate::resend::Resends;

/// Most messages in one answer, per page or per conversation.
const MOST_MESSAGES: u32 = 500;

/// The service, as gRPC calls it (`natter.v1.Messages`).
pub struct History {
    log: Arc<dyn Log>,
    store: Arc<dyn MessageStore>,
    repair: Arc<ReadRepair>,
    catch_up: CatchUp,
    resends: Resends,
}

impl History {
    /// Answers from `store`, after bringing it up to `log`. `backlog` is the same log, and `lag` what is known of both.
    pub fn new(log: Arc<dyn Log>, backlog: Arc<dyn Backlog>, store: Arc<dyn MessageStore>, lag: Arc<Lag>) -> Self {
        let repair = Arc::new(ReadRepair::new(Arc::clone(&log), backlog, Arc::clone(&store)));
        let catch_up = CatchUp::new(Arc::clone(&log), Arc::clone(&store), Arc::clone(&repair));
        let resends = Resends::new(Arc::clone(&store), Arc::clone(&repair), lag);
        Self { log, store, repair, catch_up, resends }
    }

    async fn find(&self, request: v1::GetMessageRequest) -> Result<v1::GetMessageReply, Trouble> {
        let Some(id) = MessageId::new(request.message_id) else { return Ok(v1::GetMessageReply { message: None }) };
        let conversation = match request.conversation_id {
            Some(conversation) => Some(conversation_id(conversation)?),
            None => self.conversation_of(id).await?,
        };
        let Some(conversation) = conversation else { return Ok(v1::GetMessageReply { message: None }) };
        self.repair.reach(conversation).await?;
        let found = self.store.message(id).await?.filter(|message| message.conversation == conversation);
        Ok(v1::GetMessageReply { message: found.map(reply::message) })
    }

    /// Where the message was said. The log knows of those that the store has not seen yet.
    async fn conversation_of(&self, id: MessageId) -> Result<Option<ConversationId>, Trouble> {
        if let Some(message) = self.store.message(id).await? {
            return Ok(Some(message.conversation));
        }
        match self.log.entry(Position::from(id)).await {
            Ok(Some(entry)) if entry.message_id() == Some(id) => return Ok(Some(entry.event.conversation)),
            Ok(_) | Err(LogError::Unreadable { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(entry) = self.repair.find_in_tail(|entry| entry.message_id() == Some(id)).await? {
            return Ok(Some(entry.event.conversation));
        }
        // It may have been stored since the store was asked.
        Ok(self.store.message(id).await?.map(|message| message.conversation))
    }

    async fn highest(&self) -> Result<v1::GetHighestReply, Trouble> {
        let (position, given) = (self.store.highest().await?, self.store.highest_given().await?);
        Ok(v1::GetHighestReply { position: position.get(), given_message_id: given.map_or(0, MessageId::get) })
    }

    async fn list(&self, request: v1::ListMessagesRequest) -> Result<v1::ListMessagesReply, Trouble> {
        let order = match request.order() {
            list_messages_request::Order::OldestFirst => Order::OldestFirst,
            list_messages_request::Order::NewestFirst => Order::NewestFirst,
        };
        if !(1..=MOST_MESSAGES).contains(&request.page_size) {
            return Err(Trouble::OutOfRange("page_size"));
        }
        let query = PageQuery {
            conversations: conversation_ids(&request.conversation_ids)?,
            order,
            deleted: if request.include_deleted { Deleted::Included } else { Deleted::LeftOut },
            page: if request.page == 0 { PageNumber::Last } else { PageNumber::Number(request.page) },
            size: request.page_size,
        };
        self.repair.reach_all(&query.conversations).await?;
        Ok(reply::page(self.store.page(&query).await?))
    }

    async fn summarize(
        &self,
        request: v1::SummarizeConversationsRequest,
    ) -> Result<v1::SummarizeConversationsReply, Trouble> {
        let account = AccountId::new(request.account_id).ok_or(Trouble::OutOfRange("account_id"))?;
        let conversations = conversation_ids(&request.conversation_ids)?;
        if request.latest > MOST_MESSAGES {
            return Err(Trouble::OutOfRange("latest"));
        }
        let latest = usize::try_from(request.latest).map_err(|_| Trouble::OutOfRange("latest"))?;
        self.repair.reach_all(&conversations).await?;
        let summaries = self.store.summaries(account, &conversations, latest).await?;
        Ok(v1::SummarizeConversationsReply { summaries: summaries.into_iter().map(reply::summary).collect() })
    }
}

fn conversation_ids(ids: &[u64]) -> Result<Vec<ConversationId>, Trouble> {
    ids.iter().copied().map(conversation_id).collect()
}

#[async_trait]
impl Messages for History {
    async fn get_message(
        &self,
        request: Request<v1::GetMessageRequest>,
    ) -> Result<Response<v1::GetMessageReply>, Status> {
        answer(self.find(request.into_inner())).await
    }

    async fn list_messages(
        &self,
        request: Request<v1::ListMessagesRequest>,
    ) -> Result<Response<v1::ListMessagesReply>, Status> {
        answer(self.list(request.into_inner())).await
    }

    async fn summarize_conversations(
        &self,
        request: Request<v1::SummarizeConversationsRequest>,
    ) -> Result<Response<v1::SummarizeConversationsReply>, Status> {
        answer(self.summarize(request.into_inner())).await
    }

    async fn catch_up(&self, request: Request<v1::CatchUpRequest>) -> Result<Response<v1::CatchUpReply>, Status> {
        answer(self.catch_up.page(&request.into_inner())).await
    }

    async fn find_resend(
        &self,
        request: Request<v1::FindResendRequest>,
    ) -> Result<Response<v1::FindResendReply>, Status> {
        answer(self.resends.find(request.into_inner())).await
    }

    async fn get_highest(&self, _: Request<v1::GetHighestRequest>) -> Result<Response<v1::GetHighestReply>, Status> {
        answer(self.highest()).await
    }
}

#[cfg(test)]
mod tests;
