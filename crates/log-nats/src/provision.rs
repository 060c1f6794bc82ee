//! Sets up the stream and the consumer, once or again.

use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::{self, DiscardPolicy, Republish, RetentionPolicy, StorageType};
use async_nats::jetstream::{ErrorCode, consumer};
use natter_model::id::Position;
use serde_json::json;

use crate::access::{Access, BadUrl};
use crate::api::{ApiError, ask, info};
use crate::create::create;
use crate::layout::{CONSUMER, EVENTS, REPUBLISHED, STREAM};
use crate::link::options;

/// What a deployment chooses about its stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamSettings {
    /// Copies of the stream, each on a server of its own: 1, 3 or 5. With 3, one server may fail. `None`: as many as
    /// there are, and 1 of a new stream.
    pub replicas: Option<usize>,
    /// Where the first record stands; behind the highest id of what is imported. [`Position::START`] and 1 are the same.
    pub first_sequence: Position,
    /// How long a record stays: as long as the store may be away without losing any.
    pub max_age: Duration,
    /// How long event ids are remembered: longer than anybody tries again by itself.
    pub duplicate_window: Duration,
    /// How long a consumer may hold a record before it goes to another: longer than storing a batch takes.
    pub ack_wait: Duration,
}

impl Default for StreamSettings {
    fn default() -> Self {
        Self {
            replicas: None,
            first_sequence: Position::START,
            max_age: Duration::from_secs(72 * 3600),
            duplicate_window: Duration::from_secs(120),
            ack_wait: Duration::from_secs(30),
        }
    }
}

/// What had to be done about something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was not there.
    Created,
    /// It was there, but different.
    Updated,
    /// It was as it should be.
    Unchanged,
}

/// What had to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Provisioned {
    /// About the stream.
    pub stream: Outcome,
    /// About the consumer.
    pub consumer: Outcome,
}

/// Why the log could not be set up. What was done before stays done.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// The URL is none.
    #[error(transparent)]
    BadUrl(#[from] BadUrl),
    /// The server cannot be reached, or its JetStream does not answer.
    #[error("NATS with JetStream cannot be reached: {0}")]
    Unreachable(String),
    /// What is there has a property that cannot be changed while there are records in it.
    #[error(
        "{what} has {property} {is} and cannot get {wanted}; remove it, and what it holds, or ask for what is there"
    )]
    Fixed {
        /// The stream or the consumer.
        what: &'static str,
        /// Which property.
        property: &'static str,
        /// Its value.
        is: String,
        /// The value asked for.
        wanted: String,
    },
    /// The server refuses the settings.
    #[error("NATS refuses {what}: {reason}")]
    Refused {
        /// The stream or the consumer.
        what: &'static str,
        /// What it says.
        reason: String,
    },
}

pub(crate) const THE_STREAM: &str = "the stream CHAT";
pub(crate) const THE_CONSUMER: &str = "the consumer persistence";

/// Makes the stream and the consumer at these servers, or changes what differs. Safe to run at any time, also while the services run. What others have set and Natter does not
/// need otherwise, such as placement or a size limit, stays.
pub async fn provision(access: &Access, settings: &StreamSettings) -> Result<Provisioned, ProvisionError> {
    let client = options(access).connect(access.servers()?).await;
    let client = client.map_err(|error| ProvisionError::Unreachable(error.to_string()))?;
    let stream = provision_stream(&client, settings).await?;
    let consumer = provision_consumer(&client, settings).await?;
    Ok(Provisioned { stream, consumer })
}

async fn provision_stream(client: &Client, settings: &StreamSettings) -> Result<Outcome, ProvisionError> {
    let there = match info::<stream::Info>(client, format!("STREAM.INFO.{STREAM}")).await {
        Ok(there) => there,
        Err(error) if error.is(ErrorCode::STREAM_NOT_FOUND) => {
            let config = stream_config(stream::Config::default(), settings);
            return create(client, &config)
                .await
                .map(|()| Outcome::Created)
                .map_err(|error| refused(THE_STREAM, error));
        }
        Err(error) => return Err(refused(THE_STREAM, error)),
    };
    let fixed = |property, is, wanted| ProvisionError::Fixed { what: THE_STREAM, property, is, wanted };
    if there.config.storage != StorageType::File {
        return Err(fixed("storage", "memory".to_owned(), "file".to_owned()));
    }
    if there.config.retention != RetentionPolicy::Limits {
        return Err(fixed("retention", format!("{:?}", there.config.retention), "Limits".to_owned()));
    }
    let next = there.state.last_sequence + 1;
    if next < settings.first_sequence.get() {
        return Err(fixed("next sequence", next.to_string(), settings.first_sequence.to_string()));
    }
    let wanted =
        stream::Config { first_sequence: there.config.first_sequence, ..stream_config(there.config.clone(), settings) };
    if wanted == there.config {
        return Ok(Outcome::Unchanged);
    }
    let updated = ask::<stream::Info>(client, format!("STREAM.UPDATE.{STREAM}"), &wanted).await;
    updated.map(|_| Outcome::Updated).map_err(|error| refused(THE_STREAM, error))
}

/// The stream as it must be; what is left open is as in `base`.
fn stream_config(base: stream::Config, settings: &StreamSettings) -> stream::Config {
    stream::Config {
        name: STREAM.to_owned(),
        subjects: vec![EVENTS.to_owned()],
        storage: StorageType::File,
        retention: RetentionPolicy::Limits,
        num_replicas: settings.replicas.unwrap_or(base.num_replicas.max(1)),
        first_sequence: Some(settings.first_sequence.get()).filter(|first| *first > 1),
        max_age: settings.max_age,
        max_messages_per_subject: -1,
        duplicate_window: settings.duplicate_window,
        // A full log must refuse. To drop the oldest would lose what the store has not seen.
        discard: DiscardPolicy::New,
        allow_direct: true,
        deny_delete: true,
        deny_purge: true,
        republish: Some(Republish {
            source: EVENTS.to_owned(),
            destination: REPUBLISHED.to_owned(),
            headers_only: false,
        }),
        ..base
    }
}

async fn provision_consumer(client: &Client, settings: &StreamSettings) -> Result<Outcome, ProvisionError> {
    let wanted = consumer_config(settings);
    let there = match info::<consumer::Info>(client, format!("CONSUMER.INFO.{STREAM}.{CONSUMER}")).await {
        Ok(there) => Some(there.config),
        Err(error) if error.is(ErrorCode::CONSUMER_NOT_FOUND) => None,
        Err(error) => return Err(refused(THE_CONSUMER, error)),
    };
    if let Some(there) = &there {
        if is_as_wanted(there, &wanted) {
            return Ok(Outcome::Unchanged);
        }
        let fixed = |property, is, wanted| ProvisionError::Fixed { what: THE_CONSUMER, property, is, wanted };
        if let Some(subject) = &there.deliver_subject {
            return Err(fixed("deliver subject", subject.clone(), "none".to_owned()));
        }
        if there.ack_policy != wanted.ack_policy {
            return Err(fixed("ack policy", format!("{:?}", there.ack_policy), "Explicit".to_owned()));
        }
        if there.deliver_policy != wanted.deliver_policy {
            return Err(fixed("deliver policy", format!("{:?}", there.deliver_policy), "All".to_owned()));
        }
    }
    let question =
        json!({ "stream_name": STREAM, "config": consumer::IntoConsumerConfig::into_consumer_config(wanted) });
    let made = ask::<consumer::Info>(client, format!("CONSUMER.CREATE.{STREAM}.{CONSUMER}"), &question).await;
    let outcome = if there.is_some() { Outcome::Updated } else { Outcome::Created };
    made.map(|_| outcome).map_err(|error| refused(THE_CONSUMER, error))
}

fn consumer_config(settings: &StreamSettings) -> pull::Config {
    pull::Config {
        name: Some(CONSUMER.to_owned()),
        durable_name: Some(CONSUMER.to_owned()),
        deliver_policy: DeliverPolicy::All,
        ack_policy: AckPolicy::Explicit,
        ack_wait: settings.ack_wait,
        // A record that cannot be stored goes to quarantine; none is given up because a store was away.
        max_deliver: -1,
        // Several processes with large batches each; the server's own default is 1000.
        max_ack_pending: 20_000,
        ..pull::Config::default()
    }
}

fn is_as_wanted(there: &consumer::Config, wanted: &pull::Config) -> bool {
    there.deliver_subject.is_none()
        && there.filter_subject.is_empty()
        && there.filter_subjects.is_empty()
        && there.deliver_policy == wanted.deliver_policy
        && there.ack_policy == wanted.ack_policy
        && there.ack_wait == wanted.ack_wait
        && there.max_deliver == wanted.max_deliver
        && there.max_ack_pending == wanted.max_ack_pending
}

pub(crate) fn refused(what: &'static str, error: ApiError) -> ProvisionError {
    match error {
        ApiError::Refused(refusal) => ProvisionError::Refused { what, reason: refusal.to_string() },
        ApiError::Unanswered(reason) => ProvisionError::Unreachable(reason),
    }
}
