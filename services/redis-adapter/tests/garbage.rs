//! Whatever stands in Redis, what is right is read and written, and the rest is named.
#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod stage;

use natter_model::id::Position;
use natter_redis_adapter::layer::config::{LayerConfig, LayerKind};
use natter_redis_adapter::layer::error::{Garbage, LayerError, Unreadable};
use natter_redis_adapter::layer::inbox::{Heard, Inbox};
use natter_redis_adapter::layer::{Layer, Positioned};
use redis::aio::MultiplexedConnection;
use serde_json::json;
use stage::{Django, line, lines_up, messages, next, says, servers, settings};

const GROUP: &str = "chat_7";

async fn run(line: &mut MultiplexedConnection, command: &[&[u8]]) {
    let mut played = redis::Cmd::new();
    command.iter().for_each(|word| _ = played.arg(*word));
    played.exec_async(line).await.unwrap();
}

/// What the adapter is called in the group.
async fn channel(line: &mut MultiplexedConnection) -> String {
    let members = redis::cmd("ZRANGE").arg(format!("asgi:group:{GROUP}")).arg("0").arg("-1").to_owned();
    let members: Vec<String> = members.query_async(line).await.unwrap();
    let [channel] = members.try_into().unwrap();
    channel
}

async fn garbage(inbox: &mut Inbox) -> Garbage {
    let mut heard = next(inbox).await;
    match (heard.len(), heard.remove(0)) {
        (1, Heard::Garbage(garbage)) => garbage,
        other => panic!("{other:?}"),
    }
}

/// Payloads for a channel that cannot be read, and why.
fn unreadable() -> Vec<(Vec<u8>, Unreadable)> {
    let mut deep = b"\x81\xa4type".to_vec();
    deep.extend([0x91; 5000]);
    vec![
        (b"".to_vec(), Unreadable::Truncated),
        (b"\xc1".to_vec(), Unreadable::Malformed),
        (b"\x81\xa4type\xd9\xff".to_vec(), Unreadable::Truncated),
        (b"{\"type\": \"chat_message\"}".to_vec(), Unreadable::Trailing),
        (b"\xc0".to_vec(), Unreadable::NotAMap),
        (b"\x81\xa4type\xc4\x01x".to_vec(), Unreadable::Unsendable),
        (b"\x81\xa4type\xa1\xff".to_vec(), Unreadable::Malformed),
        (b"gAAAAABpFbsLAAECAwQFBgcICQoLDA0OD7UBotRXQDulIofoNEp".to_vec(), Unreadable::Trailing),
        (deep, Unreadable::TooDeep),
        (vec![0x80; 2 * 1024 * 1024], Unreadable::TooLarge),
    ]
}

#[tokio::test]
async fn unreadable_messages_of_a_queue_are_named_and_skipped() {
    let server = servers(1).await;
    let config = settings(LayerKind::Core, &server);
    let (layer, mut inbox) = Layer::open(&config).unwrap();
    lines_up(&mut inbox, 1).await;
    layer.join(&[GROUP.to_owned()]).await.unwrap();
    let line = &mut line(&server[0]).await;
    let channel = channel(line).await;
    let (process, _) = channel.split_once('!').unwrap();
    let queue = format!("asgi{process}!");
    for (payload, why) in unreadable() {
        run(line, &[b"ZADD", queue.as_bytes(), b"1", &[b"123456789012", &payload[..]].concat()]).await;
        assert_eq!(garbage(&mut inbox).await, Garbage { key: queue.clone(), why });
    }
    // Shorter than what stands in front of each payload.
    run(line, &[b"ZADD", queue.as_bytes(), b"1", b"123"]).await;
    assert_eq!(garbage(&mut inbox).await.why, Unreadable::Truncated);
    for (channels, is_for_us) in [
        (json!([]), false),
        (json!(7), false),
        (json!(["specific.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!chat_7"]), false),
        (json!([format!("{process}x!chat_7")]), false),
        (json!(["x", 7, channel]), true),
        (json!(channel), true),
    ] {
        let payload = [&b"123456789012\x82\xa4type\xa1x\xb0__asgi_channel__"[..], &msgpack(&channels)].concat();
        run(line, &[b"ZADD", queue.as_bytes(), b"1", &payload]).await;
        match is_for_us {
            true => assert_eq!(messages(&mut inbox).await[0].group, GROUP),
            false => assert_eq!(garbage(&mut inbox).await.why, Unreadable::NoChannel, "{channels}"),
        }
    }
    // The queue itself is something else: while it is, Django cannot write to any group that we are in.
    run(line, &[b"SET", queue.as_bytes(), b"x"]).await;
    // A queue that is waited for stays waited for; the next look finds it.
    assert_eq!(garbage(&mut inbox).await, Garbage { key: queue, why: Unreadable::WrongType });
    they_talk(&config, &layer, &mut inbox).await;
}

/// So much of msgpack as these tests need.
fn msgpack(value: &serde_json::Value) -> Vec<u8> {
    match value {
        serde_json::Value::String(text) => [&[0xd9, text.len() as u8], text.as_bytes()].concat(),
        serde_json::Value::Array(values) => {
            [vec![0x90 | values.len() as u8], values.iter().flat_map(msgpack).collect()].concat()
        }
        number => vec![number.as_u64().unwrap() as u8],
    }
}

#[tokio::test]
async fn unreadable_publications_are_named_and_skipped() {
    let server = servers(1).await;
    let config = settings(LayerKind::PubSub, &server);
    let (layer, mut inbox) = Layer::open(&config).unwrap();
    lines_up(&mut inbox, 1).await;
    let line = &mut line(&server[0]).await;
    for group in [GROUP, "chat_", "chat_x y\n", "chat_99999999999999999999999"] {
        let channel = format!("asgi__group__{group}");
        for (payload, why) in unreadable() {
            run(line, &[b"PUBLISH", channel.as_bytes(), &payload]).await;
            assert_eq!(garbage(&mut inbox).await, Garbage { key: channel.clone(), why });
        }
        run(line, &[b"PUBLISH", channel.as_bytes(), b"\x81\xa4type\xa1x"]).await;
        assert_eq!(messages(&mut inbox).await[0].group, group);
    }
    // Not a chat's group, and not a name at all.
    run(line, &[b"PUBLISH", b"asgi__group__other", b"x"]).await;
    run(line, &[b"PUBLISH", b"asgi__group__chat_\xff", b"x"]).await;
    they_talk(&config, &layer, &mut inbox).await;
}

#[tokio::test]
async fn groups_and_queues_that_are_something_else_hold_nothing_up() {
    let server = servers(1).await;
    let config = settings(LayerKind::Core, &server);
    let (layer, mut inbox) = Layer::open(&config).unwrap();
    lines_up(&mut inbox, 1).await;
    let line = &mut line(&server[0]).await;
    run(line, &[b"SET", b"asgi:group:chat_8", b"x"]).await;
    run(line, &[b"ZADD", b"asgi:group:chat_9", b"1e11", b"specific.\xff!x", b"1e11", b"specific.broken!x"]).await;
    run(line, &[b"SET", b"asgispecific.broken!", b"x"]).await;

    let wrong = |key: &str| Garbage { key: key.to_owned(), why: Unreadable::WrongType };
    let groups = ["chat_7", "chat_8", "chat_9"].map(str::to_owned);
    assert_eq!(layer.join(&groups).await.unwrap(), [wrong("asgi:group:chat_8")]);
    let mut django = Django::beside(&config);
    for group in ["chat_7", "chat_9"] {
        django.joins(group).await;
    }
    let batch: Vec<_> = (1..=3)
        .zip(["chat_8", "chat_9", "chat_7"])
        .map(|(position, group)| Positioned { position: Position::new(position), message: Some(says(group, group)) })
        .collect();
    let mut published = layer.publish(&batch).await.unwrap();
    published.garbage.sort_by(|a, b| a.key.cmp(&b.key));
    let not_utf8 = Garbage { key: "asgi:group:chat_9".to_owned(), why: Unreadable::Malformed };
    assert_eq!(published.garbage, [wrong("asgi:group:chat_8"), not_utf8, wrong("asgispecific.broken!")]);
    for heard in ["chat_9", "chat_7"] {
        assert_eq!(django.hears().await["content"], heard);
    }
    assert_eq!(layer.position().await.unwrap(), Some(Position::new(3)));
    assert_eq!(layer.leave(&groups).await.unwrap(), [wrong("asgi:group:chat_8")]);
}

#[tokio::test]
async fn a_full_queue_takes_no_more_and_holds_nobody_up() {
    let server = servers(1).await;
    let config = LayerConfig { capacity: 2, ..settings(LayerKind::Core, &server) };
    let (layer, _inbox) = Layer::open(&config).unwrap();
    let line = &mut line(&server[0]).await;
    run(line, &[b"ZADD", b"asgi:group:chat_7", b"1e11", b"specific.slow!x"]).await;
    let batch: Vec<_> = (1..=5)
        .map(|position| Positioned { position: Position::new(position), message: Some(says(GROUP, "x")) })
        .collect();
    let published = layer.publish(&batch).await.unwrap();
    assert_eq!((published.written, published.over_capacity), (5, 3));
}

#[tokio::test]
async fn a_position_that_is_none_is_for_people_to_solve() {
    let server = servers(1).await;
    let line = &mut line(&server[0]).await;
    run(line, &[b"SET", b"asgi:natter:position", b"7"]).await;
    let (layer, _inbox) = Layer::open(&settings(LayerKind::Core, &server)).unwrap();
    let batch = [Positioned { position: Position::new(1), message: Some(says(GROUP, "x")) }];
    let position = layer.position().await.unwrap_err();
    let start = layer.start_at(Position::new(1)).await.unwrap_err();
    let publish = layer.publish(&batch).await.unwrap_err();
    for error in [position, start, publish] {
        assert!(matches!(&error, LayerError::Foreign { host: 0, key } if key == "asgi:natter:position"), "{error}");
    }
}

#[tokio::test]
async fn names_that_break_the_rules_are_not_joined() {
    let server = servers(1).await;
    let (layer, _inbox) = Layer::open(&settings(LayerKind::Core, &server)).unwrap();
    for group in ["", "chat 1", "chat!1", &"x".repeat(58)] {
        let error = layer.join(&[group.to_owned()]).await.unwrap_err();
        assert!(matches!(&error, LayerError::Name(name) if name == group), "{error}");
    }
}

/// After all of that, both sides hear each other.
async fn they_talk(config: &LayerConfig, layer: &Layer, inbox: &mut Inbox) {
    let mut django = Django::beside(config);
    django.joins(GROUP).await;
    let event = json!({"type": "chat_message", "message_id": 1, "content": "hello"});
    layer.signal(&says(GROUP, "hello")).await.unwrap();
    assert_eq!(django.hears().await, event);
    django.sends(GROUP, &event).await;
    assert_eq!(messages(inbox).await, [says(GROUP, "hello")]);
}
