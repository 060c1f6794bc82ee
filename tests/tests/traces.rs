//! One trace from a frame's arrival to the row and to the other edge, as a collector gets it; and what there is without one.

use std::collections::BTreeSet;

use natter_tests::client::Client;
use natter_tests::collector::{Collector, Span};
use natter_tests::fixture::PASSWORD;
use natter_tests::ports::free_port;
use natter_tests::rest::{Answer, Rest};
use natter_tests::stack::{Shape, Stack};
use natter_tests::story;
use natter_tests::wait::{until, within_patience};
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// Milliseconds that spans wait for others before they are exported together.
const DELAY: &str = "OTEL_BSP_SCHEDULE_DELAY";

/// Every program exports to this collector.
async fn traced(shape: Shape, collector: &Collector) -> Stack {
    shape.start_set(&[("", ENDPOINT, &collector.url()), ("", DELAY, "50")]).await
}

fn named<'a>(trace: &'a [Span], name: &str) -> Vec<&'a Span> {
    trace.iter().filter(|span| span.name == name).collect()
}

fn the<'a>(trace: &'a [Span], name: &str) -> &'a Span {
    let [span] = named(trace, name)[..] else { panic!("not one {name} in {trace:#?}") };
    span
}

/// A request of a caller who traces, or says that it does not.
async fn request(client: &Client, stack: &Stack, method: Method, path: &str, traceparent: &str) -> Answer {
    let rest = Rest::new(stack.edge(0)).with_token(&client.access);
    let request = rest.build(method, path).header("traceparent", traceparent);
    Answer::of(request.json(&json!({"content": "over REST"}))).await
}

/// What NATS tells those who follow conversations, headers included.
struct Wire(TcpStream);

impl Wire {
    async fn tapped(stack: &Stack) -> Self {
        let port = stack.deployment().await.servers().nats.port();
        let mut line = TcpStream::connect(("127.0.0.1", port)).await.expect("NATS listens");
        let hello = "CONNECT {\"headers\":true,\"verbose\":false}\r\nSUB live.*.event 1\r\nPING\r\n";
        line.write_all(hello.as_bytes()).await.expect("NATS reads");
        let mut wire = Self(line);
        wire.tells("PONG\r\n").await;
        wire
    }

    /// Everything up to this and a little more.
    async fn tells(&mut self, last: &str) -> String {
        let mut told = String::new();
        let telling = async {
            while !told.contains(last) {
                let mut bytes = vec![0; 4096];
                let n = self.0.read(&mut bytes).await.expect("the line is open");
                assert!(n > 0, "NATS ended the line after {told}");
                told.push_str(&String::from_utf8_lossy(&bytes[..n]));
            }
        };
        within_patience(last, telling).await;
        told
    }
}

#[tokio::test]
async fn a_message_is_one_trace_from_the_frame_to_the_row_and_the_other_edge() {
    let collector = Collector::start().await;
    let stack = traced(Shape::Real, &collector).await;
    let mut wire = Wire::tapped(&stack).await;
    let (mut ana, mut bob) = stack.two_in_a_chat().await;
    let said = ana.says("what is said is not told").await;
    bob.hears(said.clone()).await;

    let id = said.message_id().to_string();
    let is_published = |span: &Span| span.name == "publish chat" && span.attribute("natter.position") == id;
    let is_whole = |spans: &[Span]| {
        named(spans, "deliver chat").len() == 2
            && ["frame message", "fold chat"].iter().all(|name| !named(spans, name).is_empty())
    };
    let trace = collector.trace("the message is traced", is_published, is_whole).await;
    let (frame, publish, fold) = (the(&trace, "frame message"), the(&trace, "publish chat"), the(&trace, "fold chat"));
    assert_eq!((frame.service.as_str(), frame.parent.as_str()), ("natter-edge", ""));
    assert_eq!((&publish.instance, &publish.parent), (&frame.instance, &frame.id));
    assert_eq!(
        (fold.service.as_str(), &fold.parent, &fold.links),
        ("natter-persistence", &publish.id, &vec![publish.id.clone()])
    );
    let delivered = named(&trace, "deliver chat");
    for deliver in &delivered {
        assert_eq!((deliver.service.as_str(), &deliver.parent), ("natter-edge", &publish.id));
    }
    let edges: BTreeSet<&str> = delivered.iter().map(|deliver| deliver.instance.as_str()).collect();
    assert!(edges.len() == 2 && edges.contains(frame.instance.as_str()), "one on each edge: {delivered:#?}");
    for span in &trace {
        assert_eq!(span.attribute("natter.conversation"), ana.conversation().to_string(), "{span:#?}");
        assert!(!span.is_error, "{span:#?}");
    }
    let told = wire.tells(&format!("traceparent: 00-{}-{}-01", frame.trace, publish.id)).await;
    assert!(told.contains("Nats-Sequence"), "it stands in what JetStream republishes: {told}");

    for span in collector.spans() {
        let told = format!("{span:?}");
        for secret in ["not told", "ana", &ana.access, "Bearer"] {
            assert!(!told.contains(secret), "{secret} stands in {told}");
        }
    }
}

#[tokio::test]
async fn requests_and_the_calls_they_make_are_part_of_the_callers_trace() {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const UNSAMPLED: &str = "1bf7651916cd43dd8448eb211c80319c";
    let collector = Collector::start().await;
    let stack = traced(Shape::Real, &collector).await;
    let ana = stack.client("ana");
    let conversation = ana.starts_a_chat_with(&stack.client("bob")).await;
    let messages = format!("/api/chat/conversations/{conversation}/messages/");
    let send = format!("/api/chat/conversations/{conversation}/send_message/");
    let bad = ["", "nonsense", "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"];
    for (method, path, status) in [(Method::POST, &send, 201), (Method::GET, &messages, 200)] {
        let unsampled = format!("00-{UNSAMPLED}-b7ad6b7169203331-00");
        request(&ana, &stack, method.clone(), path, &unsampled).await.expect_status(status);
        for bad in bad {
            request(&ana, &stack, method.clone(), path, bad).await.expect_status(status);
        }
        let sampled = format!("00-{TRACE}-b7ad6b7169203331-01");
        request(&ana, &stack, method, path, &sampled).await.expect_status(status);
    }
    let login = Rest::new(stack.edge(0)).build(Method::POST, "/api/auth/login/");
    let login = login.header("traceparent", format!("00-{TRACE}-b7ad6b7169203331-01"));
    Answer::of(login.json(&json!({"username": "ana", "password": PASSWORD}))).await.expect_status(200);

    let is_whole = |spans: &[Span]| {
        let has =
            |service: &str, part: &str| spans.iter().any(|span| span.service == service && span.name.contains(part));
        has("natter-authz", "natter.v1.Authz/")
            && has("natter-persistence", "natter.v1.Messages/")
            && has("natter-persistence", "fold chat")
            && has("natter-edge", "POST /api/auth/login/")
    };
    let trace = collector.trace("the requests are traced", |span| span.trace == TRACE, is_whole).await;
    let by_id = |id: &str| trace.iter().find(|span| span.id == id);
    for route in ["send_message", "messages"] {
        let name = format!("/api/chat/conversations/{{id}}/{route}/");
        let span = trace.iter().find(|span| span.name.ends_with(&name)).expect("the request has a span");
        assert_eq!((span.parent.as_str(), span.attribute("http.route")), ("b7ad6b7169203331", name.as_str()));
    }
    let publish = the(&trace, "publish chat");
    let sent = by_id(&publish.parent).expect("somebody has published it");
    assert_eq!(sent.attribute("http.response.status_code"), "201");
    let served: Vec<&Span> =
        trace.iter().filter(|span| span.name.starts_with("natter.v1.") && span.service != "natter-edge").collect();
    for service in ["natter-authz", "natter-persistence"] {
        let span = served.iter().find(|span| span.service == service).expect("it was called");
        let call = by_id(&span.parent).expect("somebody has called it");
        assert_eq!((call.service.as_str(), &call.name), ("natter-edge", &span.name));
        assert_eq!(call.attribute("rpc.grpc.status_code"), "0");
        assert!(by_id(&call.parent).is_some_and(|request| !request.attribute("http.route").is_empty()), "{call:#?}");
    }

    // The requests before those were exported with them, or never will be.
    let spans = collector.spans();
    assert!(spans.iter().all(|span| span.trace != UNSAMPLED), "their caller did not want them");
    let begun = spans.iter().filter(|span| span.name.ends_with("/send_message/") && span.parent.is_empty()).count();
    assert_eq!(begun, bad.len(), "a bad traceparent is as none");
}

#[tokio::test]
async fn in_one_process_a_message_is_one_trace_too() {
    let collector = Collector::start().await;
    let stack = traced(Shape::Local, &collector).await;
    let (mut ana, mut bob) = stack.two_in_a_chat().await;
    let said = ana.says("hello").await;
    bob.hears(said.clone()).await;
    let id = said.message_id().to_string();
    let is_published = |span: &Span| span.name == "publish chat" && span.attribute("natter.position") == id;
    let trace = collector.trace("the message is traced", is_published, |spans| spans.len() >= 4).await;
    let publish = the(&trace, "publish chat");
    assert_eq!(the(&trace, "frame message").id, publish.parent);
    for name in ["fold chat", "deliver chat"] {
        assert_eq!(the(&trace, name).parent, publish.id);
    }
    assert!(trace.iter().all(|span| span.service == "natter"), "{trace:#?}");
}

#[tokio::test]
async fn what_waits_for_others_is_exported_at_the_end() {
    let collector = Collector::start().await;
    let stack = Shape::Local.start_set(&[("", ENDPOINT, &collector.url()), ("", DELAY, "3600000")]).await;
    let ana = stack.client("ana");
    let conversation = ana.starts_a_chat_with(&stack.client("bob")).await;
    let path = format!("/api/chat/conversations/{conversation}/send_message/");
    ana.post(&path, &json!({"content": "the last word"})).await.expect_status(201);
    assert!(collector.spans().is_empty(), "they wait");
    let status = stack.deployment().await.service("natter").terminate().await;
    assert!(status.success(), "{status}");
    assert!(collector.spans().iter().any(|span| span.name == "publish chat"), "{:#?}", collector.spans());
}

#[tokio::test]
async fn without_a_collector_records_carry_no_trace() {
    let stack = Stack::real().await;
    let mut wire = Wire::tapped(&stack).await;
    let (mut ana, mut bob) = stack.two_in_a_chat().await;
    let path = format!("/api/chat/conversations/{}/send_message/", ana.conversation());
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    request(&ana, &stack, Method::POST, &path, traceparent).await.expect_status(201);
    bob.hears_next().await;
    ana.hears_next().await;
    let said = ana.says("over a socket").await;
    bob.hears(said).await;
    let told = wire.tells("over a socket").await;
    assert!(told.contains("over REST") && told.contains("Nats-Sequence") && !told.contains("traceparent"), "{told}");
}

story! {
    async fn a_collector_that_is_away_is_told_of_once_and_holds_nobody_up(shape: Shape) {
        // One that takes connections and says nothing, and one that is not there.
        let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let silent = format!("http://{}", silent.local_addr().expect("an address"));
        let nobody = format!("http://127.0.0.1:{}", free_port());
        let quick = ("", "OTEL_EXPORTER_OTLP_TIMEOUT", "200");
        let settings = [("", ENDPOINT, silent.as_str()), ("edge-2", ENDPOINT, nobody.as_str()), ("", DELAY, "20"), quick];
        let stack = shape.start_set(&settings).await;
        let (mut ana, mut bob) = stack.two_in_a_chat().await;
        let names = match shape {
            Shape::Local => &["natter"][..],
            Shape::Real => &["edge-1", "edge-2"],
        };
        let complaints = async |name| {
            let log = stack.deployment().await.service(name).running().log();
            log.matches("traces are lost").count()
        };
        for name in names {
            until("the collector's absence is told of", async || {
                bob.hears(ana.says("on and on").await).await;
                (complaints(name).await > 0).then_some(())
            })
            .await;
        }
        ana.drops_the_line();
        bob.drops_the_line();
        for name in names {
            let mut deployment = stack.deployment().await;
            deployment.service(name).running().terminate();
            let status = deployment.service(name).running().ends().await;
            assert!(status.success(), "{name} ended with {status}");
            drop(deployment);
            assert_eq!(complaints(name).await, 1, "{name}");
        }
    }
}
