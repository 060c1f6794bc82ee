//! The programs can do all that they have to with the NATS users and rights that they are deployed with, over TLS. What
//! they cannot do, `crates/log-nats/tests/permissions.rs` shows.

use natter_tests::deployment::{Deployment, mirror, redis_adapters};
use natter_tests::django::{Django, Layer};
use natter_tests::fixture::World;
use natter_tests::moving::FIRST;
use natter_tests::servers::redis::Redis;
use natter_tests::service::Service;
use natter_tests::stack::{Shape, Stack};
use natter_tests::wait::until;

async fn guarded_stack() -> Stack {
    let world = World::of_strangers();
    let mut deployment = Deployment::guarded();
    deployment.start_servers().await;
    deployment.prepare(world.first_sequence());
    deployment.import(&world).await;
    deployment.start_services();
    deployment.is_ready().await;
    Stack::of(Shape::Real, &world, deployment)
}

fn was_not_refused(service: &mut Service) {
    let log = service.running().log().to_lowercase();
    assert!(!log.contains("permissions violation"), "{}: {log}", service.name());
}

/// No program asked NATS for something that it may not have.
async fn nobody_was_refused(stack: &Stack) {
    let mut deployment = stack.deployment().await;
    deployment.services.iter_mut().for_each(was_not_refused);
}

#[tokio::test]
async fn a_chat_with_the_rights_that_are_deployed() {
    let stack = guarded_stack().await;
    let (mut ana, mut bob) = stack.two_in_a_chat().await;
    let first = ana.says("one").await;
    let seen = bob.hears(first.clone()).await;
    ana.types(true).await;
    bob.hears_typing(&ana, true).await;
    bob.drops_the_line();
    let edited = ana.edits(&first, "two").await;
    bob.reconnects_after(seen).await;
    bob.catches_up_on([edited], seen).await;
    let read = bob.reads(&first).await;
    ana.hears(read).await;
    let deleted = ana.deletes(&first).await;
    bob.hears(deleted).await;

    // What is removed is announced by authz, with rights of its own.
    let conversation = ana.conversation().to_string();
    let deployment = stack.deployment().await;
    let removal = ["participant", "remove", "--conversation", &conversation, "--account", "bob"];
    deployment.natter(removal).run().succeeded();
    drop(deployment);
    assert_eq!(bob.is_sent_away().await.code, 4003);

    // Persistence has stored everything, and a person with the admin's key sees that it has.
    until("everything is stored and verified", async || {
        let said = stack.deployment().await.natter(["verify"]).run().succeeded();
        said.contains("Events applied: 5.").then_some(())
    })
    .await;
    let deployment = stack.deployment().await;
    deployment.natter(["provision"]).run().succeeded();
    deployment.natter(["repair"]).run().succeeded();
    drop(deployment);
    nobody_was_refused(&stack).await;
}

/// Beside a Django, what joins the two has rights of its own.
#[tokio::test]
async fn a_mixed_fleet_with_the_rights_that_are_deployed() {
    let world = World::of_a_fleet();
    let (mut deployment, redis) = (Deployment::guarded(), Redis::started().await);
    deployment.start_servers().await;
    deployment.prepare(FIRST);
    let database = deployment.servers().postgres.create_database("django");
    let mut django = Django::new(&database, Layer::Pubsub, &redis).with(&world);
    django.start().await;
    deployment.natter(["import-django", "--from", &database]).run().succeeded();
    deployment.start_services();
    deployment.is_ready().await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let adapters = redis_adapters(&mut deployment, folder.path(), &redis).into_iter();
    let mut joined: Vec<Service> =
        adapters.map(|adapter| adapter.setting("CHANNEL_LAYER", Layer::Pubsub.name())).collect();
    joined.push(mirror(&deployment, folder.path(), &database));
    joined.iter_mut().for_each(Service::start);
    for service in &mut joined {
        service.is_ready().await;
    }
    let stack = Stack::of(Shape::Real, &world, deployment);

    let (mut ana, mut bob) = (django.client("ana"), stack.client("bob"));
    ana.joins(1).await;
    bob.joins(1).await;
    bob.hears_the_same_as(&ana.says("at Django").await).await;
    let said = bob.says("at Natter").await;
    ana.hears_the_same_as(&said).await;
    let path = format!("/api/chat/messages/{}/", said.message_id());
    until("the message is mirrored", async || (ana.get(&path).await.status == 200).then_some(())).await;
    joined.iter_mut().for_each(was_not_refused);
    nobody_was_refused(&stack).await;
}

/// A key that is not known, or none, is told in the log, and the program waits rather than ends.
#[tokio::test]
async fn a_program_with_a_wrong_key_says_so() {
    let mut deployment = Deployment::guarded();
    deployment.start_servers().await;
    deployment.prepare(1);
    let stranger = natter_tests::servers::guard::Guard::new();
    let edge = deployment.service("edge-1");
    edge.start_with(&[("NATS_NKEY", stranger.seed("edge"))]);
    edge.is_bound().await;
    until("it says that it is not let in", async || {
        edge.running().log().to_lowercase().contains("authorization violation").then_some(())
    })
    .await;
    let (status, waiting) = edge.probe("readyz").await.expect("it answers");
    assert!(status == 503 && waiting.contains("nats"), "{waiting}");
}
