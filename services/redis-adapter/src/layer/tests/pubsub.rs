//! `RedisPubSubChannelLayer`, as recorded.

use futures_util::StreamExt;
use natter_tests::wait::within_patience;
use redis::aio::PubSubStream;
use serde_json::Value;

use super::recorded::{Server, bytes, config, event, from_base64, id, list, listens, next_messages, vectors};
use crate::layer::config::{LayerConfig, LayerKind, Serializer};
use crate::layer::event::{GroupEvent, GroupMessage};
use crate::layer::fernet::{self, FernetKey};
use crate::layer::inbox::Inbox;
use crate::layer::names::ProcessId;
use crate::layer::payload::{Codec, Opened};
use crate::layer::source::Source;
use crate::layer::{Layer, json, msgpack};

/// When the vectors were recorded.
const NOW: f64 = 1_763_031_819.25;

#[tokio::test]
async fn events_are_published_and_heard_as_recorded() {
    let mut servers = Server::two().await;
    let mut ears = Vec::new();
    for server in &servers {
        let client = redis::Client::open(server.redis.url()).unwrap();
        let mut line = client.get_async_pubsub().await.unwrap();
        line.psubscribe("*").await.unwrap();
        ears.push(line.into_on_message());
    }
    for case in list(&vectors("channels_pubsub.json"), "cases") {
        let n_hosts = case["hosts"].as_u64().unwrap() as usize;
        let config = config(LayerKind::PubSub, &case["config"], &servers[..n_hosts]);
        let layer = Layer::quiet(&config, ProcessId::random(), Source::Recorded { now: NOW }).unwrap();
        let mut inbox = Inbox::open(&layer.shared);
        listens(&mut inbox, n_hosts).await;
        for step in list(case, "steps").iter().filter(|step| step["call"][0] == "group_send") {
            let (host, recorded) = publication(step);
            let message =
                GroupMessage { group: step["call"][1].as_str().unwrap().to_owned(), event: event(&step["call"][2]) };
            assert_eq!(layer.signal(&message).await.unwrap().written, 1);
            check(case, &config, &mut ears[host], recorded, &message).await;
            // What Django writes is heard. What we wrote before was not.
            servers[host].play(recorded).await;
            let heard = next_messages(&mut inbox).await;
            assert_eq!(heard, [message], "{}", id(case));
            within_patience("the recorded message", ears[host].next()).await.unwrap();
        }
    }
}

/// The host, and the command that the library sent it.
fn publication(step: &Value) -> (usize, &Value) {
    let commands = list(step, "commands");
    if commands[0][0].is_string() {
        return (0, &commands[0]);
    }
    let by_host = commands.iter().enumerate();
    by_host.filter(|(_, commands)| !commands[0].is_null()).map(|(host, commands)| (host, &commands[0])).next().unwrap()
}

/// The next publication: same channel, same event, and a mark that the library does not see.
async fn check(case: &Value, config: &LayerConfig, ear: &mut PubSubStream, recorded: &Value, message: &GroupMessage) {
    let published = within_patience("our publication", ear.next()).await.unwrap();
    assert_eq!(published.get_channel_name(), recorded[1].as_str().unwrap(), "{}", id(case));
    let payload = published.get_payload_bytes();
    let opened = Codec::new(config).open(payload, Source::Recorded { now: NOW });
    assert_eq!(opened, Ok(Opened::Ours), "{}", id(case));
    assert_eq!(read(config, payload), message.event, "{}", id(case));
    let is_encrypted = !config.symmetric_encryption_keys.is_empty();
    assert_eq!(payload.starts_with(b"gAAAA"), is_encrypted, "{}", id(case));
    assert_eq!(bytes(&recorded[2]).starts_with(b"gAAAA"), is_encrypted, "{}", id(case));
}

/// What the library would read.
fn read(config: &LayerConfig, payload: &[u8]) -> GroupEvent {
    let keys: Vec<_> = config.symmetric_encryption_keys.iter().map(|key| FernetKey::new(key.expose())).collect();
    let text = if keys.is_empty() { payload.to_vec() } else { fernet::decrypt(&keys[..1], payload, None).unwrap() };
    match config.serializer {
        Serializer::Msgpack => msgpack::decode(&text).unwrap(),
        Serializer::Json => json::decode(&text).unwrap(),
    }
}

#[test]
fn payloads_are_read_as_recorded() {
    for case in list(&vectors("channels_pubsub.json"), "decode") {
        let config = config(LayerKind::PubSub, &case["config"], &[]);
        let source = Source::Recorded { now: case["now"].as_f64().unwrap() };
        let opened = Codec::new(&config).open(&from_base64(case["bytes_b64"].as_str().unwrap()), source);
        match (opened, &case["message"]) {
            (Err(_), Value::Null) => assert!(case["error"].is_string(), "{}", id(case)),
            (Ok(Opened::Theirs { event: opened, .. }), message) => assert_eq!(opened, event(message), "{}", id(case)),
            (opened, _) => panic!("{}: {opened:?}", id(case)),
        }
    }
}
