//! Both directions, beside the real channels_redis: everything once and in order, whatever happens to the adapters.
#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod scene;
mod stage;

use natter_log::port::{Heard, Log as _};
use natter_model::event::{Body, Event, SignalBody};
use natter_model::timestamp::Timestamp;
use natter_redis_adapter::layer::config::{LayerConfig, LayerKind, Serializer};
use natter_tests::servers::redis::Redis;
use natter_tests::wait::{until, within_patience};
use scene::{FIRST, MOMENT, Scene, djangos, ids, natters, typing};
use serde_json::{Value, json};

/// A test for each of the two layers.
macro_rules! on_each_layer {
    ($(#[$doc:meta])* async fn $name:ident($kind:ident: LayerKind) $body:block) => {
        $(#[$doc])*
        mod $name {
            use super::*;

            async fn story($kind: LayerKind) $body

            #[tokio::test(flavor = "multi_thread")]
            async fn core() {
                story(LayerKind::Core).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn pubsub() {
                story(LayerKind::PubSub).await;
            }
        }
    };
}

fn content(event: &Value) -> &str {
    event["content"].as_str().unwrap()
}

on_each_layer! {
    /// Whatever is said on one side is heard on the other, and does not come back.
    async fn each_side_hears_the_other(kind: LayerKind) {
        let scene = Scene::new(kind).await;
        let _adapter = scene.adapter().await;
        let mut django = scene.django(&["chat_1"]).await;

        let id = scene.ana_says(1, "  to Django ").await;
        assert!(id >= FIRST);
        let heard = django.hears().await;
        assert_eq!((heard["message_id"].as_u64(), content(&heard)), (Some(id), "  to Django "));

        django.sends("chat_1", &djangos(7, " to Natter ")).await;
        assert_eq!(content(&django.hears().await), " to Natter ");
        let entries = scene.relayed(1).await;
        assert_eq!(ids(&entries), [7]);
        assert!(matches!(&entries[0].event.body, Body::Posted { content, .. } if content == " to Natter "));
        assert_eq!(entries[0].event.at.to_frame(), MOMENT);

        for event in [
            json!({ "type": "message_edited", "message_id": id, "content": "x", "edited_at": MOMENT, "editor": "ana" }),
            json!({ "type": "read_receipt", "message_id": 7, "reader_id": 55, "reader_name": "ana", "read_at": MOMENT }),
            json!({ "type": "message_deleted", "message_id": 7, "deleter": "bob" }),
        ] {
            django.sends("chat_1", &event).await;
            assert_eq!(django.hears().await, event);
        }
        let bodies: Vec<Body> = scene.relayed(4).await.into_iter().skip(1).map(|entry| entry.event.body).collect();
        assert!(
            matches!(&bodies[..], [Body::Edited { .. }, Body::Read { .. }, Body::Deleted { .. }]),
            "{bodies:?}"
        );

        // An echo of anything above would be heard before this.
        scene.ana_says(1, "last").await;
        assert_eq!(content(&django.hears().await), "last");
        assert_eq!(scene.all_relayed().await.len(), 4);
    }
}

on_each_layer! {
    /// Two adapters, and a third one that comes later, do what one does.
    async fn side_by_side_everything_is_told_once(kind: LayerKind) {
        let scene = Scene::new(kind).await;
        let _adapters = (scene.adapter().await, scene.adapter().await);
        let mut django = scene.django(&["chat_1"]).await;
        let mut heard = Vec::new();
        let mut third = None;
        for n in 1..=100 {
            if n == 30 {
                third = Some(scene.adapter().await);
            }
            scene.ana_says(1, &format!("Natter {n}")).await;
            django.sends("chat_1", &djangos(n, &format!("Django {n}"))).await;
            heard.extend([django.hears().await, django.hears().await]);
        }
        drop(third);
        for side in ["Natter", "Django"] {
            let told: Vec<&str> = heard.iter().map(content).filter(|content| content.starts_with(side)).collect();
            assert_eq!(told, (1..=100).map(|n| format!("{side} {n}")).collect::<Vec<_>>());
        }
        assert_eq!(ids(&scene.relayed(100).await), (1..=100).collect::<Vec<_>>());
    }
}

on_each_layer! {
    /// The other one tells what the dead one did not, and not what it did.
    async fn one_that_dies_leaves_nothing_out(kind: LayerKind) {
        let scene = Scene::new(kind).await;
        let (first, _second) = (scene.adapter().await, scene.adapter().await);
        let mut django = scene.django(&["chat_1", "chat_2"]).await;
        let mut first = Some(first);
        for n in 1..=60 {
            scene.ana_says(1 + n % 2, &format!("Natter {n}")).await;
            django.sends(["chat_1", "chat_2"][n as usize % 2], &djangos(n, "Django")).await;
            if n == 20 {
                drop(first.take());
            }
        }
        let mut told = Vec::new();
        for _ in 0..120 {
            let event = django.hears().await;
            if content(&event) != "Django" {
                told.push(content(&event).to_owned());
            }
        }
        assert_eq!(told, (1..=60).map(|n| format!("Natter {n}")).collect::<Vec<_>>());
        let mut relayed = ids(&scene.relayed(60).await);
        relayed.sort_unstable();
        assert_eq!(relayed, (1..=60).collect::<Vec<_>>());
    }
}

on_each_layer! {
    /// In both directions, though both adapters hear it.
    async fn typing_is_told_once(kind: LayerKind) {
        let scene = Scene::new(kind).await;
        let _adapters = (scene.adapter().await, scene.adapter().await);
        let mut django = scene.django(&["chat_1"]).await;
        let mut feed = scene.log.follow(scene::conversation(1)).await.unwrap();

        for is_typing in [true, false] {
            scene.log.signal(&typing(is_typing)).await.unwrap();
            let heard = django.hears().await;
            let expected =
                json!({ "type": "typing_indicator", "username": "ana", "profile_id": 1, "is_typing": is_typing });
            assert_eq!(heard, expected);
        }
        while feed_signals(&mut feed).await != (1, false) {}

        // Until one of them has the right to tell it.
        until("somebody hears that bob types", async || {
            let event = json!({ "type": "typing_indicator", "username": "bob", "is_typing": true });
            django.sends("chat_1", &event).await;
            assert_eq!(django.hears().await, event);
            tokio::time::timeout(scene::A_WHILE, feed_signals(&mut feed)).await.ok()
        })
        .await;
        for n in 0..10 {
            let event = json!({ "type": "typing_indicator", "username": "bob", "is_typing": n % 2 == 1 });
            django.sends("chat_1", &event).await;
            assert_eq!(django.hears().await, event);
            assert_eq!(feed_signals(&mut feed).await, (2, n % 2 == 1), "once, and in order");
        }
    }
}

/// Who begins or ceases to type next.
async fn feed_signals(feed: &mut natter_log::port::Feed) -> (u64, bool) {
    loop {
        match within_patience("a signal", feed.next()).await {
            Some(Heard::Signal(signal)) => {
                let SignalBody::Typing { is_typing } = signal.body;
                return (signal.actor.id.get(), is_typing);
            }
            Some(_) => {}
            None => panic!("the feed goes on"),
        }
    }
}

on_each_layer! {
    /// A conversation that is new, of Django's or of Natter's, is bridged without a restart.
    async fn new_conversations_are_joined(kind: LayerKind) {
        let scene = Scene::new(kind).await;
        let _adapter = scene.adapter().await;
        for (n, conversation) in [(1, 50), (2, FIRST + 5), (3, 60)] {
            scene.has_conversations(&[conversation]).await;
            let group = format!("chat_{conversation}");
            let mut django = scene.django(&[&group]).await;
            until("the new conversation is heard", async || {
                // Said again it is the same, so that it is no matter how often.
                django.sends(&group, &djangos(n, "new")).await;
                (scene.all_relayed().await.len() as u64 == n).then_some(())
            })
            .await;
        }
        assert_eq!(ids(&scene.all_relayed().await), [1, 2, 3]);
    }
}

on_each_layer! {
    /// What came before the end is in the log at the end, and Django speaks to us no longer.
    async fn an_adapter_that_ends_takes_its_leave(kind: LayerKind) {
        let scene = Scene::new(kind).await;
        let adapter = scene.adapter().await;
        let mut django = scene.django(&["chat_1"]).await;
        for n in 1..=50 {
            django.sends("chat_1", &djangos(n, "before the end")).await;
        }
        adapter.drains().await;
        assert_eq!(ids(&scene.all_relayed().await), (1..=50).collect::<Vec<_>>());
        let members = scene.redis[0].query(["ZRANGE", "asgi:group:chat_1", "0", "-1"]);
        let is_ours = |member: &&String| member.contains("6e6174746572");
        assert_eq!(members.iter().find(is_ours), None, "{members:?}");

        // What happens without any adapter is told by the next one.
        scene.ana_says(1, "nobody tells it").await;
        let _adapter = scene.adapter().await;
        loop {
            if content(&django.hears().await) == "nobody tells it" {
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_django_says_while_the_log_is_away_is_kept_and_kept_in_order() {
    let mut scene = Scene::new(LayerKind::Core).await;
    let _adapters = (scene.adapter().await, scene.adapter().await);
    let mut django = scene.django(&["chat_1"]).await;
    scene.nats.kill();
    for n in 1..=100 {
        django.sends("chat_1", &djangos(n, "meanwhile")).await;
    }
    scene.nats.start().await;
    assert_eq!(ids(&scene.relayed(100).await), (1..=100).collect::<Vec<_>>());
    django.sends("chat_1", &djangos(101, "afterwards")).await;
    assert_eq!(ids(&scene.relayed(101).await), (1..=101).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_natter_says_while_redis_is_away_is_told_when_it_is_back() {
    let mut scene = Scene::on(LayerKind::Core, Redis::new().durable()).await;
    scene.config = plain(&scene.config);
    let _adapters = (scene.adapter().await, scene.adapter().await);
    let mailbox = scene.mailbox();
    scene.ana_says(1, "before").await;
    assert_eq!(mailbox.holds(1).await, ["before"]);

    scene.redis[0].kill();
    for n in 1..=20 {
        scene.ana_says(1, &format!("meanwhile {n}")).await;
    }
    scene.redis[0].start().await;
    scene.ana_says(1, "after").await;
    let told: Vec<String> = ["before".to_owned()]
        .into_iter()
        .chain((1..=20).map(|n| format!("meanwhile {n}")))
        .chain(["after".to_owned()])
        .collect();
    assert_eq!(scene.mailbox().holds(22).await, told);
}

/// Of what a Redis forgot that keeps nothing, only what the adapter knows itself can be told; but it goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_comes_back_empty_is_joined_again() {
    let mut scene = Scene::new(LayerKind::Core).await;
    let _adapters = (scene.adapter().await, scene.adapter().await);
    scene.ana_says(1, "before").await;
    scene.redis[0].kill();
    scene.redis[0].start().await;

    let mut django = scene.django(&["chat_1"]).await;
    let mut n_said = 0;
    until("Natter hears Django again", async || {
        n_said += 1;
        django.sends("chat_1", &djangos(n_said, "Django")).await;
        tokio::time::timeout(scene::A_WHILE, scene.relayed(1)).await.ok()
    })
    .await;
    let id = scene.ana_says(1, "after").await;
    let heard = loop {
        let heard = django.hears().await;
        if content(&heard) != "Django" {
            break heard;
        }
    };
    assert_eq!(heard["message_id"].as_u64(), Some(id), "what was said before was told before");
}

/// After a long outage the last part is told, and what has just happened: more does not fit into Redis.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_old_news_is_bounded() {
    let mut scene = Scene::new(LayerKind::Core).await;
    scene.config = LayerConfig { capacity: 5, ..plain(&scene.config) };
    let adapter = scene.adapter().await;
    let mailbox = scene.mailbox();
    scene.ana_says(1, "before").await;
    assert_eq!(mailbox.holds(1).await, ["before"]);
    adapter.drains().await;

    scene.redis[0].query(["DEL", "asgispecific.0123456789abcdef0123456789abcdef!"]);
    let long_ago = Timestamp::from_micros(Timestamp::now().as_micros() - 7_200_000_000);
    for n in 1..=30 {
        let event = Event { at: long_ago, ..natters(1, &format!("old {n}")) };
        scene.log.append(&event).await.unwrap();
    }
    let _adapter = scene.adapter().await;
    assert_eq!(mailbox.holds(5).await, (26..=30).map(|n| format!("old {n}")).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_passed_over() {
    let scene = Scene::new(LayerKind::Core).await;
    let mut adapter = scene.adapter().await;
    let mut django = scene.django(&["chat_1"]).await;
    let changed = |key: &str, value: Value| {
        let mut event = djangos(1, "nonsense");
        event[key] = value;
        event
    };
    for nonsense in [
        changed("type", json!("presence")),
        changed("message_id", json!("1")),
        changed("sender", json!("eve")),
        changed("sender", json!({})),
        changed("content", json!("  ")),
        changed("timestamp", json!("yesterday")),
        json!({ "type": "chat_message" }),
    ] {
        django.sends("chat_1", &nonsense).await;
    }
    django.sends("chat_1", &djangos(2, "sense")).await;
    assert_eq!(ids(&scene.relayed(1).await), [2]);
    assert!(!*adapter.has_overlap.borrow());

    // Ids that are Natter's to give are told of, and not relayed.
    django.sends("chat_1", &djangos(FIRST, "overlap")).await;
    within_patience("the overlap to be noticed", adapter.has_overlap.wait_for(|has| *has)).await.unwrap();
    django.sends("chat_1", &djangos(3, "goes on")).await;
    assert_eq!(ids(&scene.relayed(2).await), [2, 3]);
}

/// Payloads that can be read with the naked eye.
fn plain(config: &LayerConfig) -> LayerConfig {
    LayerConfig { serializer: Serializer::Json, random_prefix_bytes: 0, ..config.clone() }
}
