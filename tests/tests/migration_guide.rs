//! docs/migrating-from-django.md, followed from its first command to its last, there and back again.

use natter_tests::client::Client;
use natter_tests::django::Layer;
use natter_tests::fixture::World;
use natter_tests::fleet::Fleet;
use natter_tests::record::Record;
use natter_tests::wait::until;
use serde_json::json;

/// Where everybody talks.
const CONVERSATION: u64 = 1;

/// Ids below this are Django's.
const FIRST_OF_NATTER: u64 = 1 << 40;

#[tokio::test]
async fn there_and_back_again() {
    let world = World::of_a_fleet();
    let mut fleet = Fleet::start(&world, Layer::Core, "").await;
    let mut record = Record::of(&world, CONVERSATION);
    let (mut ana, mut bob) = (fleet.django.client("ana"), fleet.natter.client("bob"));
    ana.joins(CONVERSATION).await;
    bob.joins(CONVERSATION).await;

    // What Django does over REST is not heard, but imported.
    let path = format!("/api/chat/conversations/{CONVERSATION}/send_message/");
    let posted = ana.post(&path, &json!({"content": "over REST"})).await.expect_status(201);
    record.has(posted["id"].as_u64().expect("a message has an id"), "over REST");
    let of_django = ana.starts_a_chat_with(&fleet.django.client("tom")).await;
    assert!(of_django < FIRST_OF_NATTER);
    fleet.follows("3.").await.succeeded();
    assert_eq!(Record::seen_by(&bob).await, record);
    let mut tom = fleet.natter.client("tom");
    tom.joins(of_django).await;
    tom.says("where the import has brought me").await;

    // What is said at Natter is in Django's tables, before the mirror is started and after.
    record.said(bob.says("is this mirrored?").await);
    fleet.starts_the_mirror().await;
    record.said(bob.says("and this?").await);
    let of_natter = bob.starts_a_chat_with(&tom).await;
    assert!(of_natter >= FIRST_OF_NATTER);
    tom.joins(of_natter).await;
    tom.says("where the mirror has brought bob").await;
    shows(&ana, &record).await;
    let mut bob_at_django = fleet.django.client("bob");
    let path = format!("/api/chat/conversations/{of_natter}/");
    until("the conversation is mirrored", async || (bob_at_django.get(&path).await.status == 200).then_some(())).await;
    let group = format!("asgi:group:chat_{of_natter}");
    let has_joined =
        async || (fleet.redis.query(["ZCARD", &group]) == [fleet.adapters.len().to_string()]).then_some(());
    until("both adapters are in its group", has_joined).await;
    bob_at_django.joins(of_natter).await;
    tom.hears_the_same_as(&bob_at_django.says("and this is my answer").await).await;

    fleet.django.stop().await;
    let compared = fleet.follows("6.").await;
    for adapter in &mut fleet.adapters {
        assert!(adapter.terminate().await.success());
    }
    compared.succeeded();
    record.said(bob.says("Natter alone").await);

    // Back to Django, for good.
    for edge in ["edge-1", "edge-2"] {
        fleet.natter.deployment().await.service(edge).terminate().await;
    }
    fleet.mirror.take().expect("the mirror runs").terminate().await;
    fleet.follows("7.").await.succeeded();
    fleet.django.start().await;
    ana.reconnects().await;
    assert_eq!(Record::seen_by(&ana).await, record);
    let said = record.said(ana.says("Django alone").await);
    assert!(said.message_id() > FIRST_OF_NATTER);
    assert_eq!(Record::seen_by(&ana).await, record);
}

/// Their server shows all of it, sooner or later.
async fn shows(client: &Client, record: &Record) {
    until("all is shown", async || (Record::seen_by(client).await == *record).then_some(())).await;
}
