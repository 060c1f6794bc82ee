//! Appending: publish, wait for the acknowledgement, and if it does not come, publish again.

use std::error::Error as _;
use std::time::Duration;

use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::{self, ErrorCode, stream};
use bytes::Bytes;
use natter_log::port::{Appended, LogError};
use natter_model::event::Event;
use natter_proto::record;
use natter_trace::context::{TRACEPARENT, TraceContext};
use natter_trace::spans;
use tracing::Instrument as _;

use crate::api::info;
use crate::layout::{STREAM, events_of};
use crate::link::{Link, jittered};

/// How often an event is sent at most. Each try waits for its acknowledgement, so that this is about ten seconds when
/// nothing answers: long enough for the stream's replicas to elect a new leader, and as long as a person waits.
const TRIES: usize = 3;
/// Before trying again when the refusal came at once.
const PAUSE: Duration = Duration::from_millis(500);

/// See [`natter_log::port::Log::append`].
pub(crate) async fn append(link: &Link, event: &Event) -> Result<Appended, LogError> {
    let span = spans::publish("nats", event.conversation, event.id);
    let appended = try_to_append(link, event).instrument(span.clone()).await;
    match &appended {
        Ok(appended) => spans::published(&span, appended.position),
        Err(error) => spans::failed(&span, error.kind()),
    }
    appended
}

async fn try_to_append(link: &Link, event: &Event) -> Result<Appended, LogError> {
    let subject = events_of(event.conversation);
    let id = event.id.to_string();
    let record = Bytes::from(record::encode_event(event));
    let cause = TraceContext::current_sampled().map(|cause| cause.traceparent());
    let mut tries = 0;
    loop {
        tries += 1;
        let known = link.verified().await?;
        let error = match publish(link, &subject, &id, cause.as_deref(), record.clone()).await {
            Ok(ack) => return link.end.acknowledged(known, &ack).inspect_err(|_| link.look_soon()),
            Err(error) => error,
        };
        match Failure::of(&error) {
            Failure::Final(refusal) => return Err(refusal),
            Failure::NotStored if tries < TRIES => tokio::time::sleep(jittered(PAUSE)).await,
            Failure::Unknown if tries < TRIES => {}
            Failure::NotStored | Failure::Unknown => return Err(why(link, &error).await),
        }
        tracing::debug!(%error, event = id, "appending again");
    }
}

async fn publish(
    link: &Link,
    subject: &str,
    id: &str,
    cause: Option<&str>,
    record: Bytes,
) -> Result<PublishAck, PublishError> {
    let mut message = PublishMessage::build().payload(record).message_id(id).expected_stream(STREAM);
    if let Some(cause) = cause {
        message = message.header(TRACEPARENT, cause);
    }
    link.context.send_publish(subject.to_owned(), message).await?.await
}

/// What an error says about the event.
enum Failure {
    /// Trying again would not help.
    Final(LogError),
    /// Refused for now.
    NotStored,
    /// It may stand in the log.
    Unknown,
}

impl Failure {
    fn of(error: &PublishError) -> Self {
        match error.kind() {
            PublishErrorKind::MaxPayloadExceeded => Self::Final(LogError::TooLarge),
            PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe => Self::Unknown,
            PublishErrorKind::Other => Self::of_refusal(error),
            _ => Self::NotStored,
        }
    }

    fn of_refusal(error: &PublishError) -> Self {
        let Some(refusal) = error.source().and_then(|source| source.downcast_ref::<jetstream::Error>()) else {
            return Self::Unknown;
        };
        match refusal.error_code() {
            ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM => Self::Final(LogError::TooLarge),
            ErrorCode::STREAM_STORE_FAILED
            | ErrorCode::INSUFFICIENT_RESOURCES
            | ErrorCode::ACCOUNT_RESOURCES_EXCEEDED
            | ErrorCode::STORAGE_RESOURCES_EXCEEDED
            | ErrorCode::MEMORY_RESOURCES_EXCEEDED => Self::Final(LogError::Full(refusal.to_string())),
            _ => Self::NotStored,
        }
    }
}

/// Nobody takes the subject when there is no stream, but also while its leader is being elected.
async fn why(link: &Link, error: &PublishError) -> LogError {
    if error.kind() == PublishErrorKind::StreamNotFound
        && let Err(error) = info::<stream::Info>(&link.client, format!("STREAM.INFO.{STREAM}")).await
    {
        return error.into();
    }
    LogError::Unavailable(error.to_string())
}
