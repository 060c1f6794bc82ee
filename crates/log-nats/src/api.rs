//! Questions to JetStream, and what its answers mean.

use std::time::Duration;

use async_nats::jetstream::response::Response;
use async_nats::jetstream::{self, ErrorCode};
use async_nats::{Client, HeaderMap, HeaderName, HeaderValue, Message, Request, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use natter_log::port::LogError;
use natter_trace::context::TraceContext;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::layout::{CONSUMER, STREAM};
use crate::link::in_time;

/// How long JetStream may take for an answer. An election of a stream's leader takes up to about as long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

/// Why there is no good answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// JetStream says no.
    #[error("{0}")]
    Refused(jetstream::Error),
    /// It says nothing, or nothing that can be understood.
    #[error("{0}")]
    Unanswered(String),
}

/// Asks JetStream's API something that its subject says; the leader answers.
pub(crate) async fn info<T: DeserializeOwned>(client: &Client, subject: String) -> Result<T, ApiError> {
    request(client, subject, Bytes::new()).await
}

/// Asks JetStream's API; the leader answers.
pub(crate) async fn ask<T: DeserializeOwned>(
    client: &Client,
    subject: String,
    question: &(impl Serialize + Sync),
) -> Result<T, ApiError> {
    let question = serde_json::to_vec(question).map_err(|error| ApiError::Unanswered(error.to_string()))?;
    request(client, subject, question.into()).await
}

async fn request<T: DeserializeOwned>(client: &Client, subject: String, question: Bytes) -> Result<T, ApiError> {
    let request = Request::new().payload(question).timeout(Some(PATIENCE));
    let unanswered = |error: &dyn std::error::Error| ApiError::Unanswered(error.to_string());
    let answer = in_time(client.send_request(format!("$JS.API.{subject}"), request)).await;
    let answer = answer.map_err(|error| unanswered(&error))?;
    match serde_json::from_slice(&answer.payload).map_err(|error| unanswered(&error))? {
        Response::Ok(answer) => Ok(answer),
        Response::Err { error } => Err(ApiError::Refused(error)),
    }
}

impl ApiError {
    pub(crate) fn is(&self, code: ErrorCode) -> bool {
        matches!(self, Self::Refused(error) if error.error_code() == code)
    }
}

impl From<ApiError> for LogError {
    fn from(error: ApiError) -> Self {
        if error.is(ErrorCode::STREAM_NOT_FOUND) {
            LogError::NotProvisioned(format!("NATS has no stream {STREAM}"))
        } else if error.is(ErrorCode::CONSUMER_NOT_FOUND) {
            LogError::NotProvisioned(format!("the stream {STREAM} has no consumer {CONSUMER}"))
        } else {
            LogError::Unavailable(error.to_string())
        }
    }
}

/// The answers to a question that has many.
pub(crate) struct Replies {
    subscriber: Subscriber,
}

impl Replies {
    /// Asks on this subject.
    pub(crate) async fn ask(client: &Client, subject: String, question: Bytes) -> Result<Self, LogError> {
        let inbox = client.new_inbox();
        let subscriber = in_time(client.subscribe(inbox.clone())).await?;
        in_time(client.publish_with_reply(subject, inbox, question)).await?;
        Ok(Self { subscriber })
    }

    /// The next answer, or an error if none comes in time.
    pub(crate) async fn next(&mut self, patience: Duration) -> Result<Reply, LogError> {
        match tokio::time::timeout(patience, self.subscriber.next()).await {
            Ok(Some(message)) => Ok(Reply::of(message)),
            Ok(None) => Err(LogError::Unavailable("the connection to NATS has ended".to_owned())),
            Err(_) => Err(LogError::Unavailable("NATS did not answer in time".to_owned())),
        }
    }
}

/// One of many answers.
pub(crate) enum Reply {
    /// A record.
    Record(Message),
    /// There is more to come.
    Heartbeat,
    /// That was all.
    End,
    /// There is nobody who could answer.
    Nobody,
    /// Something else: what the server says.
    Trouble(String),
}

impl Reply {
    fn of(message: Message) -> Self {
        let Some(status) = message.status else { return Self::Record(message) };
        match status.as_u16() {
            100 => Self::Heartbeat,
            // The end of a batched get; nothing found; a pull that has waited long enough.
            204 | 404 | 408 => Self::End,
            503 => Self::Nobody,
            _ => Self::Trouble(format!("{status} {}", message.description.unwrap_or_default())),
        }
    }
}

/// What a message was published for, if that is traced.
pub(crate) fn cause(message: &Message) -> Option<TraceContext> {
    let headers = message.headers.as_ref()?;
    TraceContext::read(|name| headers.get(name).map(HeaderValue::as_str))
}

/// The number in a header.
pub(crate) fn number(headers: Option<&HeaderMap>, name: HeaderName) -> Option<u64> {
    headers?.get(name)?.as_str().parse().ok()
}
