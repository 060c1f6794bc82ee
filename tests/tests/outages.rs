//! Parts that hang: they take connections and answer nothing. Whoever needs them says so in time, the others go on, and
//! afterwards nobody has missed anything.

use natter_tests::client::Client;
use natter_tests::fixture::PASSWORD;
use natter_tests::rest::Rest;
use natter_tests::stack::Stack;
use natter_tests::wait::until;
use serde_json::json;

async fn pause(stack: &Stack, names: &[&str]) {
    let mut deployment = stack.deployment().await;
    for name in names {
        deployment.service(name).running().pause();
    }
}

async fn resume(stack: &Stack, names: &[&str]) {
    let mut deployment = stack.deployment().await;
    for name in names {
        deployment.service(name).running().resume();
    }
}

/// What history says while its service or store hangs.
async fn history_is_away(client: &Client) {
    let answer = client.get(&format!("/api/chat/conversations/{}/messages/", client.conversation())).await;
    assert_eq!(answer.status, 503, "history says that it is away: {}", answer.text);
    assert!(answer.body.is_object(), "in JSON: {}", answer.text);
}

async fn history_is(client: &Client, expected: &[&str]) {
    until("history is there again", async || {
        let path = format!("/api/chat/conversations/{}/messages/", client.conversation());
        (client.get(&path).await.status == 200).then_some(())
    })
    .await;
    assert_eq!(client.history().await, expected);
}

#[tokio::test]
async fn a_broker_that_hangs_is_told_and_used_again_when_it_runs_on() {
    let stack = Stack::real().await;
    let (mut ana, mut bob) = stack.two_in_a_chat().await;
    bob.hears(ana.says("before").await).await;
    stack.deployment().await.servers().nats.process().expect("it runs").pause();

    ana.sends(json!({"type": "message", "content": "meanwhile", "client_id": "one"})).await;
    let told = ana.is_told().await;
    assert_eq!((&told["code"], &told["client_id"]), (&json!("unavailable"), &json!("one")), "{told}");
    assert!(told["retry_after_ms"].as_u64().is_some_and(|wait| wait > 0), "{told}");
    let edge = stack.deployment().await.service("edge-1").ops();
    until("the edge says that it is not ready", async || {
        let answer = reqwest::get(format!("http://{edge}/readyz")).await.ok()?;
        (answer.status() == 503).then_some(())
    })
    .await;

    stack.deployment().await.servers().nats.process().expect("it runs").resume();
    stack.deployment().await.is_ready().await;
    let meanwhile = ana.insists("meanwhile", "one").await;
    bob.hears(meanwhile).await;
    bob.hears(ana.says("after").await).await;
    history_is(&bob, &["before", "meanwhile", "after"]).await;
}

#[tokio::test]
async fn people_chat_on_while_postgres_hangs() {
    let stack = Stack::real().await;
    let (mut ana, mut bob) = stack.two_in_a_chat().await;
    bob.hears(ana.says("before").await).await;
    assert_eq!(ana.history().await, ["before"]);
    stack.deployment().await.servers().postgres.process().expect("it runs").pause();

    bob.hears(ana.says("meanwhile").await).await;
    history_is_away(&ana).await;
    let seen = bob.hears(ana.says("and on").await).await;
    bob.drops_the_line();
    let missed = ana.says("missed").await;

    stack.deployment().await.servers().postgres.process().expect("it runs").resume();
    let count = "SELECT count(*) FROM persistence.messages";
    until("all rows are in Postgres", async || {
        (stack.deployment().await.servers().postgres.query(count) == ["4"]).then_some(())
    })
    .await;
    history_is(&ana, &["before", "meanwhile", "and on", "missed"]).await;
    bob.reconnects_after(seen).await;
    bob.catches_up_on([missed], seen).await;
    bob.hears(ana.says("after").await).await;
}

#[tokio::test]
async fn people_chat_on_while_persistence_hangs() {
    const PERSISTENCE: [&str; 2] = ["persistence-1", "persistence-2"];
    let stack = Stack::real().await;
    let (mut ana, mut bob) = stack.two_in_a_chat().await;
    let seen = bob.hears(ana.says("before").await).await;
    pause(&stack, &PERSISTENCE).await;

    bob.drops_the_line();
    let meanwhile = ana.says("meanwhile").await;
    bob.reconnects_after(seen).await;
    bob.catches_up_on([meanwhile.clone()], seen).await;
    history_is_away(&ana).await;
    let named = ana.insists("under a name", "two").await;
    bob.hears(named).await;

    resume(&stack, &PERSISTENCE).await;
    history_is(&ana, &["before", "meanwhile", "under a name"]).await;
    bob.hears(ana.says("after").await).await;
}

#[tokio::test]
async fn nobody_is_let_in_while_authz_hangs() {
    let stack = Stack::real().await;
    let (mut ana, mut bob) = stack.two_in_a_chat().await;
    bob.hears(ana.says("before").await).await;
    pause(&stack, &["authz"]).await;

    bob.hears(ana.says("meanwhile").await).await;
    let eve = stack.client("eve");
    let path = format!("/ws/chat/{}/?token={}", ana.conversation(), eve.access);
    let goodbye = eve.is_refused(&path).await;
    assert_eq!(goodbye.code, 4000, "{goodbye:?}");
    let login = json!({"username": "eve", "password": PASSWORD});
    let login = Rest::new(stack.edge(0)).post("/api/auth/login/", &login).await;
    assert_eq!(login.status, 503, "{}", login.text);
    bob.hears(ana.says("and on").await).await;

    resume(&stack, &["authz"]).await;
    until("eve is told that she does not take part", async || {
        let goodbye = eve.is_refused(&path).await;
        (goodbye.code == 4003).then_some(())
    })
    .await;
    bob.hears(ana.says("after").await).await;
}
