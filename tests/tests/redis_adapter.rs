//! The adapter as a program: how it starts, says what it lacks, and ends. (What it relays: `mixed_fleet.rs`, and the
//! tests beside the code.)

use natter_tests::client::Client;
use natter_tests::collector::{Collector, Span};
use natter_tests::deployment::{Deployment, redis_adapters};
use natter_tests::fixture::World;
use natter_tests::frame::Frame;
use natter_tests::servers::redis::Redis;
use natter_tests::service::Service;
use natter_tests::stack::{Shape, Stack};
use natter_tests::wait::until;
use serde_json::{Value, json};

/// Where the log begins, far above Django's ids.
const FIRST: u64 = 1 << 40;

/// A Natter with a conversation of ana and bob, a Redis, and adapters between them that do not run yet. Django speaks
/// JSON over pub/sub, which can be written by hand.
struct Scene {
    natter: Stack,
    redis: Redis,
    adapters: Vec<Service>,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn beginning_at(first_sequence: u64) -> Self {
        Self::with_settings(first_sequence, &[]).await
    }

    /// With more settings for every program.
    async fn with_settings(first_sequence: u64, settings: &[(&str, &str)]) -> Self {
        let world = World::of_strangers();
        let (mut deployment, redis) = (Deployment::real(), Redis::started().await);
        for (variable, value) in settings {
            deployment = deployment.setting("", variable, value);
        }
        deployment.start_servers().await;
        deployment.prepare(first_sequence);
        deployment.import(&world).await;
        deployment.start_services();
        deployment.is_ready().await;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let set = |adapter: Service| {
            let by_hand = adapter.setting("CHANNEL_LAYER", "pubsub").setting("CHANNEL_SERIALIZER", "json");
            settings.iter().fold(by_hand, |adapter, (variable, value)| adapter.setting(variable, *value))
        };
        let adapters = redis_adapters(&mut deployment, folder.path(), &redis).into_iter().map(set).collect();
        let natter = Stack::of(Shape::Real, &world, deployment);
        Self { natter, redis, adapters, _folder: folder }
    }

    async fn starts_the_adapters(&mut self) {
        for adapter in &mut self.adapters {
            adapter.start();
        }
        for adapter in &mut self.adapters {
            adapter.is_ready().await;
        }
    }

    fn django_says(&self, conversation: u64, event: &Value) {
        self.redis.query(["PUBLISH", &format!("asgi__group__chat_{conversation}"), &event.to_string()]);
    }

    /// Bob's message.
    fn django_posts(&self, to: &Client, id: u64, content: &str) {
        let event = json!({ "type": "chat_message", "message_id": id, "sender": "bob", "content": content,
                            "timestamp": "2025-11-13 10:05:00.123456+00:00" });
        self.django_says(to.conversation(), &event);
    }
}

/// Hears Django's message, live.
async fn hears(client: &mut Client, id: u64, content: &str) {
    let heard = client.hears_next().await;
    assert_eq!((heard.kind(), heard.message_id(), heard.text("content")), ("chat_message", id, content), "{heard}");
}

/// What it waits for.
async fn says_that_it_lacks(adapter: &Service, need: &str) {
    until(&format!("{} says that it lacks {need}", adapter.name()), async || {
        let (status, body) = adapter.probe("readyz").await?;
        (status == 503 && body.contains(&format!("\"{need}\""))).then_some(())
    })
    .await;
}

#[tokio::test]
async fn traces_go_on_to_django_and_begin_there() {
    const ADAPTER: &str = "natter-redis-adapter";
    let collector = Collector::start().await;
    let export = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url()), ("OTEL_BSP_SCHEDULE_DELAY", "50".to_owned())];
    let mut scene = Scene::with_settings(FIRST, &export.each_ref().map(|(name, value)| (*name, value.as_str()))).await;
    scene.starts_the_adapters().await;
    let (mut ana, mut bob) = scene.natter.two_in_a_chat().await;
    let has = |spans: &[Span], name: &str, parent: &str| {
        spans.iter().any(|span| span.service == ADAPTER && span.name == name && span.parent == parent)
    };
    let published = |span: &Span, service: &str| span.name == "publish chat" && span.service == service;

    let said = ana.says("to Django").await;
    bob.hears(said).await;
    let is_it = |span: &Span| published(span, "natter-edge");
    let is_whole = |spans: &[Span]| {
        let publish = spans.iter().find(|span| is_it(span));
        publish.is_some_and(|publish| has(spans, "relay chat", &publish.id))
    };
    collector.trace("what is told to Django is traced", is_it, is_whole).await;

    scene.django_posts(&ana, 1, "from Django");
    hears(&mut ana, 1, "from Django").await;
    hears(&mut bob, 1, "from Django").await;
    let is_it = |span: &Span| published(span, ADAPTER);
    let is_whole = |spans: &[Span]| {
        let publish = spans.iter().find(|span| is_it(span));
        publish.is_some_and(|publish| {
            spans
                .iter()
                .any(|span| span.id == publish.parent && has(spans, "hear message", "") && span.service == ADAPTER)
                && spans.iter().any(|span| span.name == "deliver chat" && span.parent == publish.id)
        })
    };
    collector.trace("what Django says is traced", is_it, is_whole).await;
}

#[tokio::test]
async fn django_is_heard_live_whichever_adapter_dies() {
    let mut scene = Scene::beginning_at(FIRST).await;
    scene.starts_the_adapters().await;
    let (mut ana, mut bob) = scene.natter.two_in_a_chat().await;
    for id in 1..=30 {
        scene.django_posts(&ana, id, "once");
        if id == 10 {
            scene.adapters[0].kill();
        }
        if id == 20 {
            scene.adapters[0].start();
            scene.adapters[0].is_ready().await;
            scene.adapters[1].kill();
        }
        hears(&mut ana, id, "once").await;
        hears(&mut bob, id, "once").await;
    }

    // It can be read by others, and changed by who said it, wherever they are.
    let posted = Frame(json!({ "message_id": 30 }));
    ana.reads(&posted).await;
    bob.hears_next().await;
    let edited = bob.edits(&posted, "said by bob, edited at Natter").await;
    ana.hears(edited).await;
    let deleted = json!({ "type": "message_deleted", "message_id": 29, "deleter": "bob" });
    scene.django_says(ana.conversation(), &deleted);
    let heard = ana.hears_next().await;
    assert_eq!((heard.kind(), heard.message_id()), ("delete", 29));
    let history = ana.history().await;
    assert_eq!(history.len(), 29, "{history:?}");
    assert_eq!(history.last().map(String::as_str), Some("said by bob, edited at Natter"));
}

#[tokio::test]
async fn without_redis_natter_goes_on_and_the_adapter_says_so() {
    let mut scene = Scene::beginning_at(FIRST).await;
    scene.starts_the_adapters().await;
    let (mut ana, mut bob) = scene.natter.two_in_a_chat().await;
    scene.redis.kill();
    says_that_it_lacks(&scene.adapters[0], "redis").await;
    bob.hears(ana.says("nobody at Django hears it").await).await;

    scene.redis.start().await;
    for adapter in &mut scene.adapters {
        adapter.is_ready().await;
    }
    // It hears again a moment later; said again it is the same.
    until("Django is heard again", async || {
        scene.django_posts(&ana, 1, "back");
        (ana.get(&format!("/api/chat/messages/{}/", 1)).await.status == 200).then_some(())
    })
    .await;
    hears(&mut ana, 1, "back").await;
    scene.django_posts(&ana, 2, "for the second time");
    hears(&mut ana, 2, "for the second time").await;
}

#[tokio::test]
async fn an_adapter_waits_for_what_it_needs_and_ends_when_it_is_told_to() {
    let mut scene = Scene::beginning_at(FIRST).await;
    let (mut ana, _bob) = scene.natter.two_in_a_chat().await;
    scene.natter.deployment().await.service("authz").kill();
    let adapter = &mut scene.adapters[0];
    adapter.start();
    adapter.is_bound().await;
    says_that_it_lacks(adapter, "authz").await;
    scene.natter.deployment().await.service("authz").start();
    adapter.is_ready().await;

    // Nonsense is counted, and nothing comes of it.
    for nonsense in ["", "not JSON", "[]", "{}", r#"{"type":"presence"}"#, r#"{"type":"chat_message","message_id":1}"#]
    {
        scene.redis.query(["PUBLISH", &format!("asgi__group__chat_{}", ana.conversation()), nonsense]);
    }
    scene.django_posts(&ana, 1, "sense");
    hears(&mut ana, 1, "sense").await;
    // It is heard before the adapter has the log's answer.
    let metrics = until("it is counted", async || {
        let metrics = scene.adapters[0].metrics().await;
        (metrics.value("natter_channels_relayed_total") > 0.0).then_some(metrics)
    })
    .await;
    assert!(metrics.sum("natter_channels_skipped_total") >= 6.0, "{metrics:?}");
    assert_eq!(metrics.value("natter_channels_relayed_total"), 1.0);
    let status = scene.adapters[0].terminate().await;
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn ids_that_would_meet_are_refused_with_the_mend() {
    let mut scene = Scene::beginning_at(1).await;
    let adapter = &mut scene.adapters[0];
    adapter.start();
    let status = adapter.running().ends().await;
    let log = adapter.running().log();
    assert_eq!(status.code(), Some(2), "{log}");
    assert!(log.contains("natter repair --past 1099511627776"), "{log}");

    // As it says.
    scene.natter.deployment().await.natter(["repair", "--past", "1099511627776"]).run().succeeded();
    scene.starts_the_adapters().await;
    let (mut ana, _bob) = scene.natter.two_in_a_chat().await;
    assert!(ana.says("behind Django's ids").await.message_id() > FIRST);

    // Should Django get there all the same, it is told.
    scene.django_posts(&ana, FIRST + 7, "far too high");
    says_that_it_lacks(&scene.adapters[0], "ids").await;
    scene.django_posts(&ana, 7, "still heard");
    hears(&mut ana, 7, "still heard").await;
}
