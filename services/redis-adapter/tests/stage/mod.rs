//! Redis servers, layers on them, and Python processes beside them.
#![allow(dead_code, reason = "each test uses its part")]

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use natter_redis_adapter::layer::config::{LayerConfig, LayerKind, Serializer};
use natter_redis_adapter::layer::event::{GroupEvent, GroupMessage, Kind};
use natter_redis_adapter::layer::inbox::{Heard, Inbox};
use natter_tests::programs::python;
use natter_tests::servers::redis::Redis;
use natter_tests::wait::within_patience;
use redis::aio::MultiplexedConnection;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Settings for these servers. Nothing expires while a test runs.
pub(crate) fn settings(kind: LayerKind, servers: &[Redis]) -> LayerConfig {
    LayerConfig {
        kind,
        hosts: servers.iter().map(|server| server.url().parse().expect("any text is a secret")).collect(),
        expiry: Duration::from_secs(3600),
        capacity: 1_000_000,
        ..LayerConfig::default()
    }
}

/// So many servers.
pub(crate) async fn servers(n: usize) -> Vec<Redis> {
    let mut servers = Vec::new();
    for _ in 0..n {
        servers.push(Redis::started().await);
    }
    servers
}

/// A line to a server.
pub(crate) async fn line(server: &Redis) -> MultiplexedConnection {
    let client = redis::Client::open(server.url()).expect("an address of Redis");
    client.get_multiplexed_async_connection().await.expect("Redis takes a line")
}

/// Somebody's message in a group.
pub(crate) fn says(group: &str, content: &str) -> GroupMessage {
    let event = GroupEvent::new(Kind::ChatMessage).with("message_id", 1).with("content", content);
    GroupMessage { group: group.to_owned(), event }
}

/// What the inbox hears next.
pub(crate) async fn next(inbox: &mut Inbox) -> Vec<Heard> {
    within_patience("something on the layer", inbox.receive()).await
}

/// The next messages.
pub(crate) async fn messages(inbox: &mut Inbox) -> Vec<GroupMessage> {
    let message = |heard| match heard {
        Heard::Message(message) => message,
        other => panic!("no message, but {other:?}"),
    };
    next(inbox).await.into_iter().map(message).collect()
}

/// Waits until this many hosts are listened to.
pub(crate) async fn lines_up(inbox: &mut Inbox, n_hosts: usize) {
    for _ in 0..n_hosts {
        let heard = next(inbox).await;
        assert!(matches!(heard[..], [Heard::LineUp { .. }]), "{heard:?}");
    }
}

/// A process with the real channels_redis.
pub(crate) struct Django {
    _process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Django {
    /// One with the same settings as ours.
    pub(crate) fn beside(config: &LayerConfig) -> Self {
        let mut settings = json!({
            "hosts": config.hosts.iter().map(|host| host.expose()).collect::<Vec<_>>(),
            "prefix": config.prefix,
            "serializer_format": match config.serializer {
                Serializer::Msgpack => "msgpack",
                Serializer::Json => "json",
            },
            "symmetric_encryption_keys":
                config.symmetric_encryption_keys.iter().map(|key| key.expose()).collect::<Vec<_>>(),
        });
        match config.kind {
            LayerKind::Core => {
                settings["kind"] = "core".into();
                settings["capacity"] = config.capacity.into();
                settings["expiry"] = config.expiry.as_secs().into();
            }
            LayerKind::PubSub => settings["kind"] = "pubsub".into(),
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/channels_layer.py");
        let mut process = Command::new(python())
            .arg(script)
            .arg(settings.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("Python starts");
        let input = process.stdin.take().expect("its input is ours");
        let output = BufReader::new(process.stdout.take().expect("its output is ours")).lines();
        Self { _process: process, input, output }
    }

    /// Its consumer joins a group.
    pub(crate) async fn joins(&mut self, group: &str) {
        self.does(json!({"do": "join", "group": group})).await;
    }

    /// Its consumer says something in a group.
    pub(crate) async fn sends(&mut self, group: &str, event: &Value) {
        self.does(json!({"do": "send", "group": group, "event": event})).await;
    }

    /// What its consumer hears next.
    pub(crate) async fn hears(&mut self) -> Value {
        self.does(json!({"do": "receive"})).await
    }

    async fn does(&mut self, command: Value) -> Value {
        self.input.write_all(format!("{command}\n").as_bytes()).await.expect("Python listens");
        let answer = within_patience("Python's answer", self.output.next_line()).await;
        let answer = answer.expect("Python speaks UTF-8").expect("Python goes on");
        serde_json::from_str(&answer).expect("Python answers in JSON")
    }
}
