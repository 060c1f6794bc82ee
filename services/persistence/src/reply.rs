//! From the store's words to those of gRPC.

use std::time::Duration;

use natter_log::port::LogError;
use natter_model::id::ConversationId;
use natter_proto::v1;
use natter_store::error::StoreError;
use natter_store::messages::{Message, Page, Summary};
use tonic::{Response, Status};
use tracing::warn;

use crate::read_repair::Behind;

/// Longest wait for an answer. Edges wait a second longer, so that they are told why there is none.
const TIMEOUT: Duration = Duration::from_secs(4);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("{0} is out of range")]
    OutOfRange(&'static str),
    #[error(transparent)]
    Behind(#[from] Behind),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Behind(error.into())
    }
}

impl From<LogError> for Trouble {
    fn from(error: LogError) -> Self {
        Self::Behind(error.into())
    }
}

/// The answer, or the status that says why there is none. Logs the cause.
pub(crate) async fn answer<T>(answer: impl Future<Output = Result<T, Trouble>>) -> Result<Response<T>, Status> {
    match tokio::time::timeout(TIMEOUT, answer).await {
        Ok(Ok(answer)) => Ok(Response::new(answer)),
        Ok(Err(Trouble::OutOfRange(what))) => Err(Status::invalid_argument(format!("{what} is out of range"))),
        Ok(Err(Trouble::Behind(error))) => {
            warn!(%error, "no answer");
            Err(status(&error))
        }
        Err(_) => {
            warn!(timeout = ?TIMEOUT, "no answer in time");
            Err(Status::unavailable("the messages cannot be reached in time"))
        }
    }
}

fn status(error: &Behind) -> Status {
    match error {
        Behind::Store(StoreError::Unavailable(_) | StoreError::NotMigrated(_)) => {
            Status::unavailable("the message store cannot be reached")
        }
        Behind::Store(StoreError::Rejected(_)) => Status::internal("the message store refuses this"),
        Behind::Log(
            LogError::Unavailable(_) | LogError::NotProvisioned(_) | LogError::Full(_) | LogError::WentBackwards { .. },
        ) => Status::unavailable("the log cannot be reached"),
        Behind::Log(LogError::TooLarge | LogError::Unreadable { .. }) => Status::internal("the log refuses this"),
    }
}

pub(crate) fn conversation_id(id: u64) -> Result<ConversationId, Trouble> {
    ConversationId::new(id).ok_or(Trouble::OutOfRange("conversation_id"))
}

pub(crate) fn message(message: Message) -> v1::Message {
    v1::Message {
        message_id: message.id.get(),
        conversation_id: message.conversation.get(),
        sender_id: message.sender.get(),
        sender_name: message.sender_name,
        content: message.content,
        attachment: message.attachment,
        timestamp_us: message.timestamp.as_micros(),
        is_read: message.is_read,
        read_at_us: message.read_at.map(|at| at.as_micros()),
        is_deleted: message.is_deleted,
        edited_at_us: message.edited_at.map(|at| at.as_micros()),
    }
}

pub(crate) fn page(page: Page) -> v1::ListMessagesReply {
    v1::ListMessagesReply {
        count: page.count,
        page: page.number.unwrap_or(0),
        pages: page.pages,
        messages: page.messages.into_iter().map(message).collect(),
    }
}

pub(crate) fn summary(summary: Summary) -> v1::ConversationSummary {
    v1::ConversationSummary {
        conversation_id: summary.conversation.get(),
        latest: summary.latest.into_iter().map(message).collect(),
        unread_count: summary.unread_count,
    }
}
