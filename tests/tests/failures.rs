//! Parts that die, and what people notice of it.

use natter_tests::deployment::Deployment;
use natter_tests::fixture::{PASSWORD, World};
use natter_tests::rest::Rest;
use natter_tests::stack::{Shape, Stack};
use natter_tests::story;
use natter_tests::wait::{until, within_patience};
use serde_json::json;

story! {
    /// Every process dies in the middle of a conversation: what was heard is there, and people go on.
    async fn kill_9_loses_nothing_that_was_heard(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, mut bob) = stack.two_in_a_chat().await;
        let mut said = Vec::new();
        for number in 0..20 {
            said.push(ana.says(&format!("before {number}")).await);
        }
        let edit = ana.edits(&said[3], "edited").await;
        let delete = ana.deletes(&said[4]).await;

        stack.crashes().await;
        ana.loses_the_line().await;
        bob.loses_the_line().await;
        stack.comes_back().await;

        bob.reconnects_after(0).await;
        // From far behind a message comes as it stands now.
        said[3].0["content"] = json!("edited");
        said[4].0["content"] = json!("");
        let head = bob.catches_up_on(said.into_iter().chain([edit, delete]), 0).await;
        ana.reconnects().await;
        let after = ana.says("after").await;
        assert!(after.message_id() > head, "an id is never used again");
        bob.hears(after).await;
        let mut expected: Vec<String> = (0..20).map(|number| format!("before {number}")).collect();
        expected[3] = "edited".to_owned();
        expected.remove(4);
        expected.push("after".to_owned());
        assert_eq!(bob.history().await, expected);
    }
}

story! {
    /// Several crashes in a row, each a moment after the last thing was said.
    async fn the_last_word_before_each_crash_is_kept(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, mut bob) = stack.two_in_a_chat().await;
        bob.drops_the_line();
        let mut expected = Vec::new();
        for round in 0..3 {
            let word = format!("round {round}");
            ana.says(&word).await;
            expected.push(word);
            stack.crashes().await;
            stack.comes_back().await;
            ana.reconnects().await;
        }
        assert_eq!(ana.history().await, expected);
    }
}

/// With persistence down, people still chat, also those who come and those who come back; afterwards nothing is missing.
#[tokio::test]
async fn people_chat_on_while_persistence_is_down() {
    let stack = Stack::real().await;
    let (mut ana, mut bob) = stack.two_in_a_chat().await;
    let mut seen = bob.hears(ana.says("with persistence").await).await;
    for name in ["persistence-1", "persistence-2"] {
        stack.deployment().await.service(name).kill();
    }

    seen = bob.hears(ana.says("without").await).await.max(seen);
    bob.drops_the_line();
    let missed = ana.says("while bob is away").await;
    bob.reconnects_after(seen).await;
    bob.catches_up_on([missed], seen).await;
    let mut tablet = ana.elsewhere().on_edge(1);
    tablet.joins(ana.conversation()).await;
    let said = ana.says("to all").await;
    bob.hears(said.clone()).await;
    tablet.hears(said).await;
    let history = bob.get(&format!("/api/chat/conversations/{}/messages/", ana.conversation())).await;
    assert_eq!(history.status, 503, "history says that it is away: {}", history.text);
    assert!(history.body.is_object(), "in JSON: {}", history.text);

    for name in ["persistence-1", "persistence-2"] {
        let mut deployment = stack.deployment().await;
        deployment.service(name).start();
        deployment.service(name).is_ready().await;
    }
    let complete = ["with persistence", "without", "while bob is away", "to all"];
    until("history is complete", async || {
        let path = format!("/api/chat/conversations/{}/messages/", ana.conversation());
        let page = bob.get(&path).await;
        (page.status == 200).then(|| {
            let contents: Vec<_> =
                page["results"].as_array().into_iter().flatten().map(|line| &line["content"]).collect();
            assert_eq!(contents, complete, "what history shows is complete from its first answer on");
        })
    })
    .await;
}

/// With Postgres down too: the log has it all, and the store gets it later.
#[tokio::test]
async fn people_chat_on_while_postgres_is_down() {
    let stack = Stack::real().await;
    let (mut ana, mut bob) = stack.two_in_a_chat().await;
    bob.hears(ana.says("with Postgres").await).await;
    stack.deployment().await.servers().postgres.crash().await;

    bob.hears(ana.says("without").await).await;

    stack.deployment().await.servers().postgres.start().await;
    let count = "SELECT count(*) FROM persistence.messages WHERE content IN ('with Postgres', 'without')";
    until("both rows are in Postgres", async || {
        (stack.deployment().await.servers().postgres.query(count) == ["2"]).then_some(())
    })
    .await;
    assert_eq!(bob.history().await, ["with Postgres", "without"]);
}

/// With NATS down, sending is refused and the sockets stay; afterwards nobody has missed anything.
#[tokio::test]
async fn sockets_outlive_the_broker() {
    let stack = Stack::real().await;
    let (mut ana, mut bob) = stack.two_in_a_chat().await;
    bob.hears(ana.says("before").await).await;
    stack.deployment().await.servers().nats.kill();

    ana.sends(json!({"type": "message", "content": "into the void", "client_id": "one"})).await;
    let told = ana.is_told().await;
    assert_eq!(told["message"], "Failed to send message. Please try again.");

    stack.deployment().await.servers().nats.start().await;
    let said = within_patience("the log to take messages again", ana.insists("into the void", "one")).await;
    bob.hears(said).await;
    bob.hears(ana.says("and on").await).await;
}

/// With authz down, those who are in go on, and nobody else gets in.
#[tokio::test]
async fn nobody_is_let_in_while_authz_is_down() {
    let stack = Stack::real().await;
    let (mut ana, mut bob) = stack.two_in_a_chat().await;
    stack.deployment().await.service("authz").kill();

    bob.hears(ana.says("still here").await).await;
    let eve = stack.client("eve");
    let goodbye = eve.is_refused(&format!("/ws/chat/{}/?token={}", ana.conversation(), eve.access)).await;
    assert_eq!(goodbye.code, 4000, "{goodbye:?}");
    assert!(!goodbye.reason.is_empty());
    let login =
        Rest::new(stack.edge(0)).post("/api/auth/login/", &json!({"username": "eve", "password": PASSWORD})).await;
    assert_eq!(login.status, 503, "{}", login.text);

    let mut deployment = stack.deployment().await;
    deployment.service("authz").start();
    deployment.service("authz").is_ready().await;
    drop(deployment);
    until("eve is told that she does not take part", async || {
        let goodbye = eve.is_refused(&format!("/ws/chat/{}/?token={}", ana.conversation(), eve.access)).await;
        (goodbye.code == 4003).then_some(())
    })
    .await;
}

/// One of two persistence processes dies in the middle of the work: the other does all of it, each row once.
#[tokio::test]
async fn one_persistence_may_die_in_the_middle() {
    let stack = Stack::real().await;
    let (mut ana, bob) = stack.two_in_a_chat().await;
    let mut expected = Vec::new();
    for number in 0..100 {
        let word = format!("word {number}");
        ana.says(&word).await;
        expected.push(word);
        if number == 50 {
            stack.deployment().await.service("persistence-2").kill();
        }
    }
    // Ana's edge asks the one that lives.
    assert_eq!(ana.history().await, expected);
    let mut deployment = stack.deployment().await;
    deployment.service("persistence-2").start();
    deployment.service("persistence-2").is_ready().await;
    drop(deployment);
    until("bob's edge reaches the other again", async || {
        let path = format!("/api/chat/conversations/{}/messages/", ana.conversation());
        (bob.get(&path).await.status == 200).then_some(())
    })
    .await;
    assert_eq!(bob.history().await, expected);
    let rows = "SELECT count(*), count(DISTINCT message_id) FROM persistence.messages WHERE content LIKE 'word %'";
    assert_eq!(stack.deployment().await.servers().postgres.query(rows), ["100|100"]);
}

/// A client whose edge dies goes to the other and misses nothing.
#[tokio::test]
async fn one_edge_may_die_and_its_clients_go_to_the_other() {
    let stack = Stack::real().await;
    let (mut ana, mut bob) = stack.two_in_a_chat().await;
    let seen = bob.hears(ana.says("on two edges").await).await;
    stack.deployment().await.service("edge-2").kill();
    bob.loses_the_line().await;
    let missed = ana.says("bob is moving").await;

    let mut bob = bob.on_edge(0);
    bob.reconnects_after(seen).await;
    bob.catches_up_on([missed], seen).await;
}

/// Each service starts before what it needs is there, lives, says what it waits for, and is ready once it is there.
#[tokio::test]
async fn start_order_does_not_matter() {
    let world = World::of_strangers();
    let mut deployment = Deployment::real();
    // Edges first, then those they need, then the servers.
    deployment.services.reverse();
    for service in &mut deployment.services {
        service.start();
        service.is_bound().await;
    }
    for service in &mut deployment.services {
        let name = service.name();
        let live = service.probe("livez").await.expect("the ops address answers");
        assert_eq!(live.0, 200, "{name}: {live:?}");
        let (status, waiting) = service.probe("readyz").await.expect("the ops address answers");
        assert_eq!(status, 503, "{name}: {waiting}");
        let needs = match name {
            "authz" => "database",
            _ => "nats",
        };
        let waiting = waiting.to_lowercase();
        assert!(waiting.contains(needs) || waiting.contains("postgres"), "{name} says what it waits for: {waiting}");
    }

    deployment.start_servers().await;
    deployment.prepare(world.first_sequence());
    deployment.import(&world).await;
    deployment.is_ready().await;

    let stack = Stack::of(Shape::Real, &world, deployment);
    let (mut ana, mut bob) = stack.two_in_a_chat().await;
    bob.hears(ana.says("we are all here").await).await;
}
