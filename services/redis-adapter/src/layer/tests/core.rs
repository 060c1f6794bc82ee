//! `RedisChannelLayer`, as recorded.

use redis::aio::MultiplexedConnection;
use serde_json::{Value, json};

use super::recorded::{Server, bytes, config, event, from_base64, id, list, listens, next_messages, vectors};
use crate::layer::config::{LayerKind, Serializer};
use crate::layer::event::{GroupEvent, GroupMessage};
use crate::layer::fernet::{Age, FernetKey, decrypt};
use crate::layer::inbox::Inbox;
use crate::layer::names::{ProcessId, host_of};
use crate::layer::payload::{Codec, Opened};
use crate::layer::source::Source;
use crate::layer::{Layer, LayerConfig};

#[tokio::test]
async fn redis_is_left_as_recorded() {
    let mut servers = Server::two().await;
    for case in list(&vectors("channels_core.json"), "cases") {
        let servers = &mut servers[..case["hosts"].as_u64().unwrap() as usize];
        for server in servers.iter_mut() {
            server.clear().await;
        }
        for command in case["setup"].as_array().unwrap() {
            let group = command[1].as_str().unwrap().rsplit(':').next().unwrap();
            servers[host_of(group, servers.len())].play(command).await;
        }
        play(case, servers).await;
    }
}

async fn play(case: &Value, servers: &mut [Server]) {
    let config = config(LayerKind::Core, &case["config"], servers);
    let source = Source::Recorded { now: case["now"].as_f64().unwrap() };
    let process = ProcessId::fixed(case["client_prefix"].as_str().unwrap());
    let layer = Layer::quiet(&config, process, source).unwrap();
    let call: Vec<&Value> = case["call"].as_array().unwrap().iter().collect();
    let text = |i: usize| call[i].as_str().unwrap().to_owned();
    match &text(0)[..] {
        // A process's channels differ behind the `!`, where the library is random and we name the group.
        "new_channel" => {
            let recorded = case["result"].as_str().unwrap();
            let channel = layer.shared.members.process.channel("chat_1").unwrap();
            let tail = |channel: &str| channel.rsplit_once('.').unwrap().1.split_once('!').unwrap().0.to_owned();
            assert_eq!(tail(&channel), tail(recorded), "{}", id(case));
        }
        // Vectors name any channel; ours is that of the group.
        "group_add" | "group_discard" => {
            let (group, theirs) = (text(1), text(2));
            let key = layer.shared.members.names.group_key(&group);
            let own = layer.shared.members.process.channel(&group).unwrap();
            let was_member = rename(&mut servers[key.host].line, &key.name, &theirs, &own).await;
            assert_eq!(was_member, !case["setup"].as_array().unwrap().is_empty());
            let garbage = match &text(0)[..] {
                "group_add" => layer.join(&[group]).await,
                _ => layer.leave(&[group]).await,
            };
            assert_eq!(garbage.unwrap(), []);
            check(case, servers, &config, &[(own, theirs)]).await;
        }
        "group_send" => {
            let event = in_recorded_order(case, call[2], &config);
            let published = layer.signal(&GroupMessage { group: text(1), event }).await.unwrap();
            assert!(published.garbage.is_empty());
            check(case, servers, &config, &[]).await;
        }
        "receive_single" if id(case) == "receive-recovers-inflight" => {} // Nobody leaves us anything there.
        "receive_single" => {
            let mut inbox = Inbox::open(&layer.shared);
            listens(&mut inbox, servers.len()).await;
            let message = next_messages(&mut inbox).await.remove(0);
            assert!(case["result"][0][0].as_str().unwrap().ends_with(&format!("!{}", message.group)));
            assert_eq!(message.event, event(&case["result"][1]), "{}", id(case));
        }
        // Nothing here speaks to one channel alone. Such messages are read: see the decode cases.
        "send" => {}
        other => panic!("{other} is new"),
    }
}

/// Under another name, the member that a vector speaks of.
async fn rename(line: &mut MultiplexedConnection, key: &str, from: &str, to: &str) -> bool {
    let score: Option<f64> = redis::cmd("ZSCORE").arg(key).arg(from).query_async(line).await.unwrap();
    let Some(score) = score else { return false };
    redis::cmd("ZREM").arg(key).arg(from).exec_async(line).await.unwrap();
    redis::cmd("ZADD").arg(key).arg(score).arg(to).exec_async(line).await.unwrap();
    true
}

/// The event with its keys as they were recorded, so that the bytes can be compared.
fn in_recorded_order(case: &Value, message: &Value, config: &LayerConfig) -> GroupEvent {
    let source = Source::Recorded { now: case["now"].as_f64().unwrap() };
    let afters = case["after"].as_array().cloned().unwrap_or_else(|| vec![case["after"].clone()]);
    let members = afters.iter().flat_map(|after| after.as_object().unwrap().values()).flat_map(|key| list(key, "zset"));
    let opened = members.filter_map(|member| Codec::new(config).open(&bytes(&member["member"]), source).ok());
    let recorded = opened.map(|opened| match opened {
        Opened::Theirs { event, .. } => event,
        Opened::Ours => panic!("the core layer has no marks"),
    });
    let event = event(message);
    recorded.into_iter().find(|recorded| *recorded == event).unwrap_or(event)
}

/// What is in Redis, compared with the record; members of groups under the names that they have there.
async fn check(case: &Value, servers: &mut [Server], config: &LayerConfig, renamed: &[(String, String)]) {
    let expected = case["after"].as_array().cloned().unwrap_or_else(|| vec![case["after"].clone()]);
    assert_eq!(expected.len(), servers.len());
    for (server, expected) in servers.iter_mut().zip(&expected) {
        let expected = expected.as_object().unwrap();
        let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut server.line).await.unwrap();
        let keys: Vec<_> = keys.into_iter().filter(|key| !key.ends_with(":natter:position")).collect();
        assert_eq!(keys.len(), expected.len(), "{}: {keys:?}", id(case));
        for (key, expected) in expected {
            let ttl: i64 = redis::cmd("TTL").arg(key).query_async(&mut server.line).await.unwrap();
            assert_eq!(json!(ttl), expected["ttl"], "{} {key}", id(case));
            let members = redis::cmd("ZRANGE").arg(key).arg("0").arg("-1").arg("WITHSCORES").to_owned();
            let members: Vec<(Vec<u8>, f64)> = members.query_async(&mut server.line).await.unwrap();
            let expected = list(expected, "zset");
            assert_eq!(members.len(), expected.len(), "{} {key}", id(case));
            for ((member, score), expected) in members.into_iter().zip(expected) {
                assert_eq!(json!(score), expected["score"], "{} {key}", id(case));
                let named = renamed.iter().find(|(own, _)| own.as_bytes() == member);
                let member = named.map_or(member, |(_, recorded)| recorded.clone().into_bytes());
                check_member(case, config, &member, &bytes(&expected["member"]));
            }
        }
    }
}

/// The same to the last bit; but JSON may have other spaces, and maps inside of the event another order.
fn check_member(case: &Value, config: &LayerConfig, member: &[u8], expected: &[u8]) {
    let source = Source::Recorded { now: case["now"].as_f64().unwrap() };
    let open = |payload| Codec::new(config).open(payload, source);
    let Ok(Opened::Theirs { event, channels }) = open(expected) else {
        return assert!(member == expected, "{}", id(case));
    };
    let Ok(Opened::Theirs { event: ours, channels: our_channels }) = open(member) else {
        panic!("{} cannot be read", id(case))
    };
    assert_eq!(channels, our_channels, "{}", id(case));
    assert_eq!(event, ours, "{}", id(case));
    let may_differ = config.serializer == Serializer::Json || event.fields().iter().any(|(_, value)| value.is_object());
    assert!(may_differ || member == expected, "{}", id(case));
}

#[test]
fn payloads_are_read_as_recorded() {
    for case in list(&vectors("channels_core.json"), "decode") {
        let config = config(LayerKind::Core, &case["config"], &[]);
        let source = Source::Recorded { now: case["now"].as_f64().unwrap() };
        let opened = Codec::new(&config).open(&from_base64(case["bytes_b64"].as_str().unwrap()), source);
        match (opened, &case["message"]) {
            (Err(_), Value::Null) => assert!(case["error"].is_string(), "{}", id(case)),
            (Ok(Opened::Theirs { event: opened, channels }), message @ Value::Object(_)) => {
                assert_eq!(opened, event(message), "{}", id(case));
                // Without a channel the library names the queue itself, where nobody is.
                let expected: Vec<_> = list(case, "channels").iter().filter_map(Value::as_str).collect();
                let expected = if expected[0].ends_with('!') { Vec::new() } else { expected };
                assert_eq!(channels, expected, "{}", id(case));
            }
            // What is no map has no channel either, so that nobody hears it.
            (Err(_), _) if case["channels"][0].as_str().is_some_and(|channel| channel.ends_with('!')) => {}
            (opened, _) => panic!("{}: {opened:?}", id(case)),
        }
    }
}

#[test]
fn tokens_are_made_and_read_as_recorded() {
    for case in list(&vectors("channels_core.json"), "fernet") {
        let key = FernetKey::new(case["key"].as_str().unwrap());
        let (now, text) = (case["time"].as_u64().unwrap(), from_base64(case["plaintext_b64"].as_str().unwrap()));
        let token = key.encrypt(&text, now, Source::Recorded { now: 0.0 }.iv());
        assert_eq!(String::from_utf8(token.clone()).unwrap(), case["token"].as_str().unwrap());
        let age = Some(Age { now, max_seconds: 20 });
        assert_eq!(decrypt(&[FernetKey::new("another"), key], &token, age), Ok(text));
    }
}
