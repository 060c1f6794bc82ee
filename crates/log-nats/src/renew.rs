//! Making an empty stream anew, so that it goes on behind a position.

use async_nats::Client;
use async_nats::jetstream::consumer::{self, IntoConsumerConfig as _};
use async_nats::jetstream::stream;
use natter_model::id::Position;
use serde_json::{Value, json};

use crate::access::Access;
use crate::api::{ask, info};
use crate::create::create;
use crate::layout::{CONSUMER, STREAM};
use crate::link::options;
use crate::provision::{ProvisionError, THE_CONSUMER, THE_STREAM, refused};

/// A subject that nobody publishes to.
const NOWHERE: &str = "natter.renewing";

/// If the stream at these servers holds no record and ends before `position`, deletes it and makes it, with its
/// consumer and all settings, again: its next record stands behind `position`. `false`: it is left as it was.
///
/// Nobody can append meanwhile. If it is cut short, running it again finishes it, or [`provision`](crate::provision())
/// with that first sequence does.
pub async fn begin_behind(access: &Access, position: Position) -> Result<bool, ProvisionError> {
    let client = options(access).connect(access.servers()?).await;
    let client = client.map_err(|error| ProvisionError::Unreachable(error.to_string()))?;
    let there = look(&client).await?;
    if !is_to_be_renewed(&there, position) {
        return Ok(false);
    }
    // What is appended between looking and deleting would be lost: so first nothing can be.
    let closed = stream::Config { subjects: vec![NOWHERE.to_owned()], republish: None, ..there.config.clone() };
    update(&client, &closed).await?;
    if !is_to_be_renewed(&look(&client).await?, position) {
        update(&client, &there.config).await?;
        return Ok(false);
    }
    let consumer = info::<consumer::Info>(&client, format!("CONSUMER.INFO.{STREAM}.{CONSUMER}")).await.ok();
    let deleted = ask::<Value>(&client, format!("STREAM.DELETE.{STREAM}"), &json!({})).await;
    deleted.map_err(|error| refused(THE_STREAM, error))?;
    let renewed = stream::Config { first_sequence: Some(position.get() + 1), ..there.config };
    create(&client, &renewed).await.map_err(|error| refused(THE_STREAM, error))?;
    if let Some(consumer) = consumer {
        let question = json!({ "stream_name": STREAM, "config": consumer.config.into_consumer_config() });
        let made = ask::<consumer::Info>(&client, format!("CONSUMER.CREATE.{STREAM}.{CONSUMER}"), &question).await;
        made.map_err(|error| refused(THE_CONSUMER, error))?;
    }
    Ok(true)
}

fn is_to_be_renewed(stream: &stream::Info, position: Position) -> bool {
    stream.state.messages == 0 && stream.state.last_sequence < position.get()
}

async fn look(client: &Client) -> Result<stream::Info, ProvisionError> {
    info(client, format!("STREAM.INFO.{STREAM}")).await.map_err(|error| refused(THE_STREAM, error))
}

async fn update(client: &Client, config: &stream::Config) -> Result<(), ProvisionError> {
    let updated = ask::<stream::Info>(client, format!("STREAM.UPDATE.{STREAM}"), config).await;
    updated.map(drop).map_err(|error| refused(THE_STREAM, error))
}
