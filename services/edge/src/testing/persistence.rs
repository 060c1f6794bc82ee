//! A persistence that answers from the log itself, and can be away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use hyper_util::rt::TokioIo;
use natter_host::calls::Calls;
use natter_log::port::Log;
use natter_model::event::{Body, Entry};
use natter_model::id::Position;
use natter_proto::v1::messages_client::MessagesClient;
use natter_proto::v1::messages_server::{Messages, MessagesServer};
use natter_proto::{record, v1};
use tonic::transport::{Endpoint, Server, Uri};
use tonic::{Request, Response, Status};
use tower::service_fn;

use super::HERE;
use super::flaky_log::FlakyLog;

/// Knows all that the log ever took.
#[derive(Clone)]
pub(crate) struct Persistence {
    log: Arc<FlakyLog>,
    /// Messages that it was asked for.
    pub n_asked: Arc<AtomicUsize>,
    /// Pages that it was asked for.
    pub n_pages: Arc<AtomicUsize>,
    /// Posts that were looked for by their client ids.
    pub n_resends: Arc<AtomicUsize>,
    is_away: Arc<AtomicBool>,
}

impl Persistence {
    pub(crate) fn new(log: Arc<FlakyLog>) -> Self {
        let (n_asked, n_pages, n_resends, is_away) = Default::default();
        Self { log, n_asked, n_pages, n_resends, is_away }
    }

    /// Nothing is answered.
    pub(crate) fn take_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::SeqCst);
    }

    /// Leads to it.
    pub(crate) fn client(&self) -> MessagesClient<Calls> {
        let (client, server) = tokio::io::duplex(64 * 1024);
        let incoming = stream::iter([Ok::<_, std::io::Error>(server)]).chain(stream::pending());
        tokio::spawn(Server::builder().add_service(MessagesServer::new(self.clone())).serve_with_incoming(incoming));
        let mut client = Some(TokioIo::new(client));
        let connector = service_fn(move |_: Uri| {
            let line = client.take().ok_or_else(|| std::io::Error::other("there is one line only"));
            async move { line }
        });
        let channel = Endpoint::from_static("http://in-process").connect_with_connector_lazy(connector);
        MessagesClient::new(channel.into())
    }

    async fn entries(&self, after: Position) -> Result<Vec<Entry>, Status> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(Status::unavailable("taken away by the test"));
        }
        Ok(self.log.embedded.read(HERE, after, usize::MAX).await.expect("the log answers"))
    }
}

#[async_trait]
impl Messages for Persistence {
    async fn get_message(
        &self,
        request: Request<v1::GetMessageRequest>,
    ) -> Result<Response<v1::GetMessageReply>, Status> {
        self.n_asked.fetch_add(1, Ordering::SeqCst);
        let question = request.into_inner();
        let entries = self.entries(Position::START).await?;
        let post = entries.iter().find(|entry| entry.message_id().is_some_and(|id| id.get() == question.message_id));
        let message = post.map(|entry| v1::Message {
            message_id: question.message_id,
            conversation_id: HERE.get(),
            sender_id: entry.event.actor.id.get(),
            is_deleted: entries.iter().any(
                |later| matches!(later.event.body, Body::Deleted { message } if message.get() == question.message_id),
            ),
            ..v1::Message::default()
        });
        Ok(Response::new(v1::GetMessageReply { message }))
    }

    async fn list_messages(
        &self,
        _: Request<v1::ListMessagesRequest>,
    ) -> Result<Response<v1::ListMessagesReply>, Status> {
        Err(Status::unimplemented("no room asks for pages"))
    }

    async fn summarize_conversations(
        &self,
        _: Request<v1::SummarizeConversationsRequest>,
    ) -> Result<Response<v1::SummarizeConversationsReply>, Status> {
        Err(Status::unimplemented("no room asks for summaries"))
    }

    async fn catch_up(&self, request: Request<v1::CatchUpRequest>) -> Result<Response<v1::CatchUpReply>, Status> {
        self.n_pages.fetch_add(1, Ordering::SeqCst);
        let question = request.into_inner();
        let mut entries = self.entries(Position::new(question.since)).await?;
        entries.truncate(question.limit as usize);
        let through = entries.last().map_or(question.since, |last| last.position.get());
        let entries = entries
            .iter()
            .map(|entry| v1::Entry { position: entry.position.get(), event: Some(record::to_proto(&entry.event)) })
            .collect();
        Ok(Response::new(v1::CatchUpReply { entries, through }))
    }

    async fn find_resend(
        &self,
        request: Request<v1::FindResendRequest>,
    ) -> Result<Response<v1::FindResendReply>, Status> {
        self.n_resends.fetch_add(1, Ordering::SeqCst);
        let question = request.into_inner();
        let entries = self.entries(Position::START).await?;
        let found = entries.iter().find(|entry| {
            matches!(&entry.event.body, Body::Posted { client_id: Some(id), .. } if *id == question.client_id)
                && entry.event.actor.id.get() == question.account_id
        });
        Ok(Response::new(v1::FindResendReply {
            message_id: found.map(|entry| entry.position.get()),
            timestamp_us: found.map_or(0, |entry| entry.event.at.as_micros()),
        }))
    }

    async fn get_highest(&self, _: Request<v1::GetHighestRequest>) -> Result<Response<v1::GetHighestReply>, Status> {
        Ok(Response::new(v1::GetHighestReply::default()))
    }
}
