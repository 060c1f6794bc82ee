//! The recorded vectors, and Redis servers to play them on.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use natter_tests::servers::redis::Redis;
use natter_tests::wait::within_patience;
use redis::aio::MultiplexedConnection;
use serde_json::Value;

use crate::layer::config::{LayerConfig, LayerKind, Serializer};
use crate::layer::event::{GroupEvent, GroupMessage};
use crate::layer::inbox::{Heard, Inbox};

/// The file's content.
pub(super) fn vectors(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// All that a list of the file has.
pub(super) fn list<'a>(vectors: &'a Value, name: &str) -> &'a [Value] {
    let list = vectors[name].as_array().unwrap();
    assert!(!list.is_empty());
    list
}

/// The name of a recorded case.
pub(super) fn id(case: &Value) -> &str {
    case["id"].as_str().unwrap()
}

/// Text as it is, or bytes in base64.
pub(super) fn bytes(value: &Value) -> Vec<u8> {
    match &value["b64"] {
        Value::String(base64) => from_base64(base64),
        _ => value.as_str().unwrap().as_bytes().to_vec(),
    }
}

/// The bytes that this stands for.
pub(super) fn from_base64(text: &str) -> Vec<u8> {
    STANDARD.decode(text).unwrap()
}

/// The message of a vector.
pub(super) fn event(message: &Value) -> GroupEvent {
    GroupEvent::received(message.as_object().unwrap().clone())
}

/// The settings that a vector was recorded with.
pub(super) fn config(kind: LayerKind, recorded: &Value, hosts: &[Server]) -> LayerConfig {
    let default = LayerConfig::default();
    let seconds = |name: &str, default| recorded[name].as_u64().map_or(default, Duration::from_secs);
    let count = |name: &str, default| recorded[name].as_u64().map_or(default, |n| n as usize);
    LayerConfig {
        kind,
        hosts: hosts.iter().map(|host| host.redis.url().parse().unwrap()).collect(),
        prefix: recorded["prefix"].as_str().unwrap_or("asgi").to_owned(),
        expiry: seconds("expiry", default.expiry),
        group_expiry: seconds("group_expiry", default.group_expiry),
        capacity: count("capacity", default.capacity),
        random_prefix_bytes: count("random_prefix_length", default.random_prefix_bytes),
        serializer: match recorded["serializer_format"].as_str() {
            Some("json") => Serializer::Json,
            _ => Serializer::Msgpack,
        },
        symmetric_encryption_keys: recorded["symmetric_encryption_keys"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|key| key.as_str().unwrap().parse().unwrap())
            .collect(),
        ..default
    }
}

/// A server, and a line to it.
pub(super) struct Server {
    pub(super) redis: Redis,
    pub(super) line: MultiplexedConnection,
}

impl Server {
    pub(super) async fn started() -> Self {
        let redis = Redis::started().await;
        let client = redis::Client::open(redis.url()).unwrap();
        let line = client.get_multiplexed_async_connection().await.unwrap();
        Self { redis, line }
    }

    pub(super) async fn two() -> [Self; 2] {
        [Self::started().await, Self::started().await]
    }

    pub(super) async fn clear(&mut self) {
        redis::cmd("FLUSHALL").exec_async(&mut self.line).await.unwrap();
    }

    /// A recorded command.
    pub(super) async fn play(&mut self, command: &Value) {
        let mut words = command.as_array().unwrap().iter();
        let mut played = redis::cmd(words.next().unwrap().as_str().unwrap());
        for word in words {
            match word {
                Value::Number(number) => played.arg(number.to_string()),
                word => played.arg(bytes(word)),
            };
        }
        played.exec_async(&mut self.line).await.unwrap();
    }
}

/// The next messages, and that nothing else comes with or before them.
pub(super) async fn next_messages(inbox: &mut Inbox) -> Vec<GroupMessage> {
    let message = |heard| match heard {
        Heard::Message(message) => message,
        other => panic!("{other:?}"),
    };
    within_patience("a message", inbox.receive()).await.into_iter().map(message).collect()
}

/// Waits until each host is listened to.
pub(super) async fn listens(inbox: &mut Inbox, n_hosts: usize) {
    for _ in 0..n_hosts {
        let heard = within_patience("a line", inbox.receive()).await;
        assert!(matches!(heard[..], [Heard::LineUp { .. }]), "{heard:?}");
    }
}
