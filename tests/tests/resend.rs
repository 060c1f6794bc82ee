//! Sending again, because one does not know whether it arrived: at once, later, much later, and from elsewhere.

use std::time::Duration;

use natter_tests::client::Client;
use natter_tests::frame::Frame;
use natter_tests::servers::jetstream;
use natter_tests::stack::{Shape, Stack};
use natter_tests::story;
use natter_tests::wait::until;
use serde_json::{Value, json};

/// Sends a message under this name; returns the acknowledgement.
async fn sends(client: &mut Client, content: &str, client_id: &str) -> Frame {
    client.sends(json!({"type": "message", "content": content, "client_id": client_id})).await;
    client.hears_of("ack", |frame| frame["client_id"] == client_id).await
}

/// What the stream is set to, in nanoseconds, if the server takes it.
async fn set_stream(stack: &Stack, key: &str, time: Duration) {
    let port = stack.deployment().await.servers().nats.port();
    let mut config = jetstream::ask(port, "STREAM.INFO.CHAT", "").await.expect("the stream is there")["config"].clone();
    config[key] = json!(time.as_nanos() as u64);
    jetstream::ask(port, "STREAM.UPDATE.CHAT", &config.to_string()).await.expect("the server takes it");
}

/// Waits until the server's clock has moved on by so much.
async fn passes(stack: &Stack, time: Duration) {
    let port = stack.deployment().await.servers().nats.port();
    let clock = async || {
        let info = jetstream::ask(port, "STREAM.INFO.CHAT", "").await.expect("the stream is there");
        info["ts"].as_str().and_then(|ts| ts.parse::<jiff::Timestamp>().ok()).expect("the server tells its time")
    };
    let begun = clock().await;
    until("time to pass", async || (clock().await.duration_since(begun).unsigned_abs() > time).then_some(())).await;
}

/// A stream that remembers ids for a moment only. The server looks for those that are too old once in that time.
const MEMORY: Duration = Duration::from_millis(300);

async fn log_forgets_its_ids(stack: &Stack) {
    passes(stack, 4 * MEMORY).await;
}

async fn rows(stack: &Stack, client_id: &str) -> Vec<String> {
    let query =
        format!("SELECT message_id FROM persistence.messages WHERE client_id = '{client_id}' AND NOT is_resend");
    stack.deployment().await.servers().postgres.query(&query)
}

story! {
    /// At once, from both edges at the same moment, over REST: the same message, heard once.
    async fn the_same_name_is_the_same_message(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, mut bob) = stack.two_in_a_chat().await;
        let mut tablet = ana.elsewhere().on_edge(1);
        tablet.joins(ana.conversation()).await;
        let (first, second) = tokio::join!(sends(&mut ana, "hi", "c-1"), sends(&mut tablet, "hi", "c-1"));
        assert_eq!(first, second);
        assert_eq!(sends(&mut tablet, "hi", "c-1").await, first);

        let path = format!("/api/chat/conversations/{}/send_message/", ana.conversation());
        let again = ana.post(&path, &json!({"content": "hi", "client_id": "c-1"})).await.expect_status(200);
        assert_eq!((again["id"].as_u64(), &again["content"]), (Some(first.message_id()), &json!("hi")));
        let new = ana.post(&path, &json!({"content": "ho", "client_id": "c-2"})).await.expect_status(201);
        let known = ana.post(&path, &json!({"content": "ho", "client_id": "c-2"})).await.expect_status(200);
        assert_eq!(new.body, known.body);
        assert_eq!(sends(&mut ana, "ho", "c-2").await["message_id"], new["id"]);
        for client_id in [json!(""), json!(7), json!("x".repeat(65))] {
            ana.post(&path, &json!({"content": "hi", "client_id": client_id})).await.expect_status(400);
        }

        // Of another person it is another name.
        let other = sends(&mut bob, "hi too", "c-1").await;
        for id in [&first["message_id"], &new["id"], &other["message_id"]] {
            let heard = bob.hears_next().await;
            assert_eq!((heard.kind(), &heard["message_id"]), ("chat_message", id), "each is heard once");
        }
        assert_eq!(bob.history().await, ["hi", "ho", "hi too"]);
    }
}

/// After the log has forgotten the id, on another edge.
#[tokio::test]
async fn a_name_outlives_the_memory_of_the_log() {
    let stack = Stack::real().await;
    set_stream(&stack, "duplicate_window", MEMORY).await;
    let (mut ana, mut bob) = stack.two_in_a_chat().await;
    let first = sends(&mut ana, "hi", "c-1").await;
    until("the row is there", async || (rows(&stack, "c-1").await.len() == 1).then_some(())).await;
    log_forgets_its_ids(&stack).await;

    let mut tablet = ana.elsewhere().on_edge(1);
    tablet.joins(ana.conversation()).await;
    assert_eq!(sends(&mut tablet, "hi", "c-1").await, first);
    assert_eq!(sends(&mut ana, "hi", "c-1").await, first);
    let said = ana.says("next").await;
    assert_eq!(bob.hears_next().await["message_id"], first["message_id"]);
    bob.hears(said).await;
    assert_eq!(rows(&stack, "c-1").await, [first.message_id().to_string()]);
}

/// After days: the record has left the log, and only the store knows of it.
#[tokio::test]
async fn a_name_outlives_the_log() {
    let stack = Stack::real().await;
    set_stream(&stack, "duplicate_window", MEMORY).await;
    let (mut ana, bob) = stack.two_in_a_chat().await;
    let first = sends(&mut ana, "hi", "c-1").await;
    until("the row is there", async || (rows(&stack, "c-1").await.len() == 1).then_some(())).await;
    set_stream(&stack, "max_age", MEMORY).await;
    log_forgets_its_ids(&stack).await;
    let port = stack.deployment().await.servers().nats.port();
    until("the log is empty", async || {
        let info = jetstream::ask(port, "STREAM.INFO.CHAT", "").await.ok()?;
        (info["state"]["messages"] == 0).then_some(())
    })
    .await;
    set_stream(&stack, "max_age", Duration::from_secs(3600)).await;

    assert_eq!(sends(&mut ana, "hi", "c-1").await, first);
    ana.says("next").await;
    assert_eq!(bob.history().await, ["hi", "next"]);
}

/// With Postgres down, and the id forgotten: the log itself is looked through.
#[tokio::test]
async fn a_name_is_known_while_postgres_is_down() {
    let stack = Stack::real().await;
    set_stream(&stack, "duplicate_window", MEMORY).await;
    let (mut ana, mut bob) = stack.two_in_a_chat().await;
    let first = sends(&mut ana, "hi", "c-1").await;
    stack.deployment().await.servers().postgres.stop().await;
    let without = sends(&mut ana, "without", "c-2").await;
    log_forgets_its_ids(&stack).await;

    let mut tablet = ana.elsewhere().on_edge(1);
    assert_eq!(sends(&mut ana, "hi", "c-1").await, first);
    assert_eq!(sends(&mut ana, "without", "c-2").await, without);
    let ids: Vec<Value> =
        [bob.hears_next().await, bob.hears_next().await].map(|frame| frame["message_id"].clone()).into();
    assert_eq!(ids, [first["message_id"].clone(), without["message_id"].clone()]);

    stack.deployment().await.servers().postgres.start().await;
    until("both rows are there", async || {
        (rows(&stack, "c-1").await.len() + rows(&stack, "c-2").await.len() == 2).then_some(())
    })
    .await;
    tablet.joins(ana.conversation()).await;
    assert_eq!(sends(&mut tablet, "hi", "c-1").await, first);
    assert_eq!(sends(&mut tablet, "without", "c-2").await, without);
    let said = tablet.says("next").await;
    bob.hears(said).await;
}
