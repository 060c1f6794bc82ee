//! Beside the real channels_redis: both layers, both serializers, with encryption and without, on one host and more.
#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod stage;

use natter_redis_adapter::layer::Layer;
use natter_redis_adapter::layer::config::{LayerConfig, LayerKind, Serializer};
use natter_redis_adapter::layer::event::{GroupEvent, GroupMessage, Kind};
use serde_json::{Value, json};
use stage::{Django, lines_up, messages, servers, settings};

/// Groups on different hosts, where there is more than one.
const GROUPS: [&str; 3] = ["chat_1", "chat_8", "chat_9223372036854775807"];

#[tokio::test]
async fn core_is_heard_and_hears() {
    everything(LayerKind::Core, 1).await;
}

#[tokio::test]
async fn core_on_three_hosts_is_heard_and_hears() {
    everything(LayerKind::Core, 3).await;
}

#[tokio::test]
async fn pubsub_is_heard_and_hears() {
    everything(LayerKind::PubSub, 1).await;
}

#[tokio::test]
async fn pubsub_on_three_hosts_is_heard_and_hears() {
    everything(LayerKind::PubSub, 3).await;
}

async fn everything(kind: LayerKind, n_hosts: usize) {
    let servers = servers(n_hosts).await;
    for serializer in [Serializer::Msgpack, Serializer::Json] {
        for (i, keys) in [vec![], vec!["new".parse().unwrap(), "old".parse().unwrap()]].into_iter().enumerate() {
            // A prefix of its own for each round, with what a pattern would take for something else.
            let prefix = format!("[{serializer:?}]{i}");
            let base = settings(kind, &servers);
            converse(&LayerConfig { serializer, symmetric_encryption_keys: keys, prefix, ..base }).await;
        }
    }
}

async fn converse(config: &LayerConfig) {
    let (layer, mut inbox) = Layer::open(config).unwrap();
    lines_up(&mut inbox, config.hosts.len()).await;
    assert_eq!(layer.join(&GROUPS.map(str::to_owned)).await.unwrap(), []);
    let mut django = Django::beside(config);
    for group in GROUPS {
        django.joins(group).await;
        for (event, json) in events() {
            layer.signal(&GroupMessage { group: group.to_owned(), event }).await.unwrap();
            assert_eq!(django.hears().await, json, "{group}");

            // Django hears itself, and so do we. What we said before, we did not hear.
            django.sends(group, &json).await;
            assert_eq!(django.hears().await, json, "{group}");
            let [heard]: [_; 1] = messages(&mut inbox).await.try_into().unwrap();
            assert_eq!((heard.group.as_str(), fields(&heard.event)), (group, json));
        }
    }
    assert_eq!(layer.leave(&GROUPS.map(str::to_owned)).await.unwrap(), []);
}

/// One of each kind, with values of all shapes.
fn events() -> Vec<(GroupEvent, Value)> {
    let shapes = json!({
        "content": " héllo 👋 \u{1f468}\u{200d}\u{1f469} \u{0}",
        "message_id": 9_007_199_254_740_993_u64,
        "negative": -70_000,
        "half": 0.5,
        "nothing": null,
        "list": [1, "two", [3, {"four": true}]],
        "long": "x".repeat(70_000),
    });
    let events = Kind::ALL.into_iter().map(|kind| {
        let mut event = GroupEvent::new(kind).with("is_typing", true);
        for (key, value) in shapes.as_object().unwrap() {
            event = event.with(key, value.clone());
        }
        event
    });
    events.map(|event| (event.clone(), fields(&event))).collect()
}

fn fields(event: &GroupEvent) -> Value {
    Value::Object(event.fields().iter().cloned().collect())
}
