//! Those who ask for too much are refused, and told when to come back.

use natter_tests::fixture::PASSWORD;
use natter_tests::frame::Goodbye;
use natter_tests::rest::Rest;
use natter_tests::socket::{Heard, Socket};
use natter_tests::stack::Shape;
use natter_tests::story;
use natter_tests::wait::until;
use serde_json::json;

fn hint(goodbye: &Goodbye) -> Option<u64> {
    goodbye.reason.rsplit_once("retry_after_ms=")?.1.parse().ok()
}

story! {
    /// Typing counts too. The socket stays, and is of use again after a while.
    async fn a_client_that_sends_too_much_is_slowed_down(shape: Shape) {
        let edges = if shape == Shape::Local { "natter" } else { "edge" };
        let per_second = (edges, "EDGE_FRAMES_PER_SECOND", "20");
        let stack = shape.start_set(&[per_second, (edges, "EDGE_FRAMES_BURST", "100")]).await;
        let (mut ana, mut bob) = stack.two_in_a_chat().await;
        for _ in 0..150 {
            ana.types(true).await;
        }
        ana.sends(json!({"type": "message", "content": "one too many", "client_id": "c-1"})).await;
        let told = loop {
            let told = ana.is_told().await;
            assert_eq!(told["code"], "rate_limited", "{told}");
            assert!(told["retry_after_ms"].as_u64().is_some_and(|wait| (1..=60_000).contains(&wait)), "{told}");
            if told["client_id"] == "c-1" {
                break told;
            }
        };
        assert!(told.text("message").contains("slow down"), "{told}");

        let again = json!({"type": "message", "content": "slowly now", "client_id": "c-1"});
        until("there is room again", async || {
            ana.sends(again.clone()).await;
            ["chat_message", "ack"].contains(&ana.hears_next().await.kind()).then_some(())
        })
        .await;
        while bob.hears_next().await["content"] != "slowly now" {}
    }
}

story! {
    /// As the framework says it. Others, and the same person from elsewhere, may go on.
    async fn who_guesses_passwords_is_slowed_down(shape: Shape) {
        let stack = shape.start().await;
        let rest = Rest::new(stack.edge(0));
        let log_in = async |username: &str, password: &str| {
            rest.post("/api/auth/login/", &json!({"username": username, "password": password})).await
        };
        let mut answer = log_in("ana", "wrong").await;
        for _ in 0..10 {
            assert!([401, 429].contains(&answer.status), "{}", answer.text);
            answer = log_in("ana", "wrong").await;
        }
        assert_eq!(answer.status, 429, "{}", answer.text);
        let detail = answer["detail"].as_str().expect("a text");
        assert!(detail.starts_with("Request was throttled. Expected available in "), "{detail}");
        assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|seconds| (1..=60).contains(&seconds)));
        assert_eq!(log_in("bob", PASSWORD).await.status, 200);
    }
}

/// The edge says that it fills before it is full, refuses with a hint, and takes new clients when somebody leaves.
#[tokio::test]
async fn an_edge_that_is_full_says_so() {
    let stack = Shape::Real.start_set(&[("edge", "EDGE_MAX_CONNECTIONS", "20")]).await;
    let (ana, _bob) = stack.two_in_a_chat().await;
    let url = format!("ws://{}/ws/chat/{}/?token={}", stack.edge(0), ana.conversation(), ana.access);
    let is_ready = async || stack.deployment().await.service("edge-1").probe("readyz").await.expect("it answers");
    let mut sockets = Vec::new();
    for _ in 0..16 {
        sockets.push(Socket::open(&url).await);
    }
    assert_eq!(is_ready().await.0, 200, "17 of 20 are there");
    for _ in 0..3 {
        sockets.push(Socket::open(&url).await);
    }
    let (status, waiting) = is_ready().await;
    assert!(status == 503 && waiting.contains("connections"), "{status}: {waiting}");

    let goodbye = ana.is_refused_here().await;
    assert_eq!(goodbye.code, 1013, "{goodbye:?}");
    assert!(hint(&goodbye).is_some_and(|wait| wait >= 1000) && goodbye.reason.contains("full"), "{goodbye:?}");

    sockets.truncate(10);
    until("it is ready again", async || (is_ready().await.0 == 200).then_some(())).await;
    let mut late = Socket::open(&url).await;
    late.send(r#"{"type": "ping"}"#.into()).await.expect("the connection is open");
    assert!(matches!(late.hear().await, Heard::Frame(_)));
    let counted = stack.deployment().await.service("edge-1").metrics().await;
    assert_eq!(counted.value("natter_closes_total{code=\"1013\"}"), 1.0);
}
