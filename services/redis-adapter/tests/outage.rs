//! Redis goes away and comes back; settings that cannot work; servers that want to know who asks.
#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod stage;

use std::os::unix::net::UnixStream;
use std::process::Command;

use natter_redis_adapter::layer::Layer;
use natter_redis_adapter::layer::config::{ClientCertificate, LayerConfig, LayerKind};
use natter_redis_adapter::layer::error::LayerError;
use natter_redis_adapter::layer::inbox::{Heard, Inbox};
use natter_tests::servers::redis::Redis;
use natter_tests::wait::until;
use serde_json::json;
use stage::{Django, line, lines_up, messages, next, says, servers, settings};

const GROUP: &str = "chat_7";

/// Both sides hear each other.
async fn they_talk(layer: &Layer, inbox: &mut Inbox, django: &mut Django) {
    let event = json!({"type": "chat_message", "message_id": 1, "content": "hello"});
    layer.signal(&says(GROUP, "hello")).await.unwrap();
    assert_eq!(django.hears().await, event);
    django.sends(GROUP, &event).await;
    assert_eq!(messages(inbox).await, [says(GROUP, "hello")]);
    assert_eq!(django.hears().await, event);
}

async fn goes_on_after_an_outage(kind: LayerKind) {
    let mut server = [Redis::new()];
    let config = settings(kind, &server);
    // Nobody is there yet.
    let (layer, mut inbox) = Layer::open(&config).unwrap();
    let heard = next(&mut inbox).await;
    assert!(matches!(heard[..], [Heard::LineDown { host: 0, .. }]), "{heard:?}");
    assert!(matches!(layer.signal(&says(GROUP, "x")).await, Err(LayerError::Redis { host: 0, .. })));

    for _ in 0..2 {
        server[0].start().await;
        lines_up(&mut inbox, 1).await;
        layer.join(&[GROUP.to_owned()]).await.unwrap();
        let mut django = Django::beside(&config);
        django.joins(GROUP).await;
        they_talk(&layer, &mut inbox, &mut django).await;

        server[0].kill();
        let heard = next(&mut inbox).await;
        assert!(matches!(heard[..], [Heard::LineDown { host: 0, .. }]), "{heard:?}");
    }
}

#[tokio::test]
async fn core_goes_on_after_an_outage() {
    goes_on_after_an_outage(LayerKind::Core).await;
}

#[tokio::test]
async fn pubsub_goes_on_after_an_outage() {
    goes_on_after_an_outage(LayerKind::PubSub).await;
}

async fn notices_that_a_host_hangs(kind: LayerKind) {
    let servers = servers(2).await;
    let (layer, mut inbox) = Layer::open(&settings(kind, &servers)).unwrap();
    lines_up(&mut inbox, 2).await;
    let process = servers[1].process().unwrap();
    process.pause();
    // The other one says nothing meanwhile, and is not taken for dead.
    let heard = next(&mut inbox).await;
    assert!(matches!(heard[..], [Heard::LineDown { host: 1, .. }]), "{heard:?}");
    assert!(matches!(layer.position().await, Err(LayerError::Redis { host: 1, .. })));
    process.resume();
    lines_up(&mut inbox, 1).await;
    assert_eq!(layer.position().await.unwrap(), None);
}

#[tokio::test]
async fn core_notices_that_a_host_hangs() {
    notices_that_a_host_hangs(LayerKind::Core).await;
}

#[tokio::test]
async fn pubsub_notices_that_a_host_hangs() {
    notices_that_a_host_hangs(LayerKind::PubSub).await;
}

#[tokio::test]
async fn a_user_and_password_may_stand_in_the_address_or_beside_it() {
    let server = servers(1).await;
    let rights = ["on", ">sesame", "~asgi*", "&asgi*", "+@all"];
    redis::cmd("ACL").arg("SETUSER").arg("chat").arg(&rights).exec_async(&mut line(&server[0]).await).await.unwrap();
    let base = settings(LayerKind::Core, &server);
    let url = server[0].url();
    let beside =
        LayerConfig { username: Some("chat".to_owned()), password: Some("sesame".parse().unwrap()), ..base.clone() };
    let inside = url.replace("redis://", "redis://chat:sesame@");
    let inside = LayerConfig { hosts: vec![inside.parse().unwrap()], ..base.clone() };
    for config in [&beside, &inside] {
        let (layer, mut inbox) = Layer::open(config).unwrap();
        lines_up(&mut inbox, 1).await;
        layer.join(&[GROUP.to_owned()]).await.unwrap();
        // Beyond its keys it has no rights, and says so.
        let elsewhere = LayerConfig { prefix: "other".to_owned(), ..config.clone() };
        let (layer, _inbox) = Layer::open(&elsewhere).unwrap();
        let error = layer.join(&[GROUP.to_owned()]).await.unwrap_err();
        assert!(error.to_string().contains("no permissions"), "{error}");
    }
    let mut django = Django::beside(&inside);
    django.joins(GROUP).await;
    let (layer, mut inbox) = Layer::open(&beside).unwrap();
    lines_up(&mut inbox, 1).await;
    layer.join(&[GROUP.to_owned()]).await.unwrap();
    they_talk(&layer, &mut inbox, &mut django).await;

    let wrong = LayerConfig { password: Some("swordfish".parse().unwrap()), ..beside };
    let (_layer, mut inbox) = Layer::open(&wrong).unwrap();
    let heard = next(&mut inbox).await;
    assert!(matches!(&heard[..], [Heard::LineDown { error, .. }] if !error.contains("swordfish")), "{heard:?}");
}

#[tokio::test]
async fn what_is_said_over_tls_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let openssl = |arguments: &str| {
        let arguments: Vec<_> = arguments.split(' ').collect();
        let made = Command::new("openssl").args(arguments).current_dir(folder.path()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    openssl("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem");
    openssl("req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout one.key -out one.csr");
    std::fs::write(file("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n").unwrap();
    openssl("x509 -req -days 2 -in one.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile names -out one.pem");
    let mut server = Redis::new().setting("tls-cert-file", &file("one.pem")).setting("tls-key-file", &file("one.key"));
    server = server.setting("tls-ca-cert-file", &file("ca.pem"));
    let port = natter_tests::ports::free_port();
    let mut server = [server.setting("tls-port", &port.to_string())];
    server[0].start().await;

    let read = |name: &str| std::fs::read(file(name)).unwrap();
    let key = String::from_utf8(read("one.key")).unwrap();
    let address = |options: &str| format!("rediss://localhost:{port}{options}");
    let config = LayerConfig {
        hosts: vec![address("").parse().unwrap()],
        authority: Some(read("ca.pem")),
        client_certificate: Some(ClientCertificate { certificate: read("one.pem"), key: key.parse().unwrap() }),
        ..settings(LayerKind::PubSub, &server)
    };
    let (layer, mut inbox) = Layer::open(&config).unwrap();
    lines_up(&mut inbox, 1).await;
    let files =
        format!("?ssl_ca_certs={}&ssl_certfile={}&ssl_keyfile={}", file("ca.pem"), file("one.pem"), file("one.key"));
    let theirs = LayerConfig { hosts: vec![address(&files).parse().unwrap()], ..config.clone() };
    let mut django = Django::beside(&theirs);
    django.joins(GROUP).await;
    they_talk(&layer, &mut inbox, &mut django).await;

    // Without the authority, the server might be anybody.
    let (_layer, mut inbox) = Layer::open(&LayerConfig { authority: None, ..config }).unwrap();
    let heard = next(&mut inbox).await;
    assert!(matches!(heard[..], [Heard::LineDown { .. }]), "{heard:?}");
}

#[tokio::test]
async fn a_unix_socket_is_a_host_too() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("redis.sock");
    let mut server = [Redis::new().setting("unixsocket", socket.to_str().unwrap())];
    server[0].start().await;
    // It takes its port before it does that.
    until("Redis listens there", async || UnixStream::connect(&socket).ok()).await;
    let hosts = vec![format!("unix://{}", socket.display()).parse().unwrap()];
    let config = LayerConfig { hosts, ..settings(LayerKind::Core, &server) };
    let (layer, mut inbox) = Layer::open(&config).unwrap();
    lines_up(&mut inbox, 1).await;
    layer.join(&[GROUP.to_owned()]).await.unwrap();
    let mut django = Django::beside(&config);
    django.joins(GROUP).await;
    they_talk(&layer, &mut inbox, &mut django).await;
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused() {
    for host in ["", "http://localhost", "localhost:6379", "redis://"] {
        let config = LayerConfig { hosts: vec![host.parse().unwrap()], ..LayerConfig::default() };
        assert!(matches!(Layer::open(&config), Err(LayerError::Setting(_))), "{host:?}");
    }
    let nowhere = LayerConfig { hosts: Vec::new(), ..LayerConfig::default() };
    assert!(matches!(Layer::open(&nowhere), Err(LayerError::Setting(_))));
}
