//! A program that is asked to end ends in good order, and tells whether it did.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::TcpStream;

use futures_util::future::join_all;
use natter_tests::frame::Frame;
use natter_tests::rest::Rest;
use natter_tests::socket::{Heard, Socket};
use natter_tests::stack::{Shape, Stack};
use natter_tests::story;
use natter_tests::wait::until;
use reqwest::Method;
use serde_json::json;

/// Messages that each of those who write gets through.
const N_MESSAGES: usize = 60;

/// A client as they should be: it says each message until it is acknowledged, under the same name, and when it is sent
/// away, comes back to wherever it is let in with what it has heard last.
struct Writer {
    stack: Stack,
    path: String,
    name: String,
    edge: usize,
    socket: Option<Socket>,
    /// Where it stands.
    seq: u64,
    /// Where its last message stands.
    acknowledged: u64,
    /// What it has heard, by position.
    heard: BTreeMap<u64, String>,
    n_goodbyes: usize,
}

impl Writer {
    fn new(stack: &Stack, path: &str, name: &str, edge: usize, seq: u64) -> Self {
        Self {
            stack: stack.clone(),
            path: path.to_owned(),
            name: name.to_owned(),
            edge,
            socket: None,
            seq,
            acknowledged: 0,
            heard: BTreeMap::new(),
            n_goodbyes: 0,
        }
    }

    async fn writes(mut self) -> Self {
        for number in 0..N_MESSAGES {
            let client_id = format!("{}-{number}", self.name);
            let mut is_acknowledged = false;
            while !is_acknowledged {
                if self.says(&client_id).await {
                    is_acknowledged = self.hears_until(|frame| frame["client_id"] == *client_id).await;
                }
            }
        }
        self
    }

    async fn says(&mut self, client_id: &str) -> bool {
        let frame = json!({"type": "message", "content": client_id, "client_id": client_id}).to_string();
        self.connected().await.send(frame.into()).await.is_ok()
    }

    /// `false`: it was sent away before.
    async fn hears_until(&mut self, is_it: impl Fn(&Frame) -> bool) -> bool {
        loop {
            let heard = self.connected().await.hear().await;
            match heard {
                Heard::Frame(frame) if frame.kind() == "chat_message" => {
                    let seq = frame.seq();
                    assert!(seq > self.seq, "{} heard {seq} after {}", self.name, self.seq);
                    self.seq = seq;
                    self.heard.insert(seq, frame.text("content").to_owned());
                    if is_it(&frame) {
                        return true;
                    }
                }
                Heard::Frame(frame) => {
                    assert_ne!(frame["code"], "position_unknown", "{frame}");
                    if frame.kind() == "ack" && is_it(&frame) {
                        self.acknowledged = frame.message_id();
                        return true;
                    }
                }
                Heard::Goodbye(goodbye) => {
                    assert_eq!(goodbye.code, 1012, "{goodbye:?}");
                    let hint = goodbye.reason.rsplit_once("retry_after_ms=");
                    assert!(hint.is_some_and(|(_, wait)| wait.parse::<u64>().is_ok()), "{goodbye:?}");
                    self.n_goodbyes += 1;
                    self.socket = None;
                    self.edge += 1;
                    return false;
                }
                Heard::Silence => {
                    self.socket = None;
                    return false;
                }
            }
        }
    }

    async fn connected(&mut self) -> &mut Socket {
        if self.socket.is_none() {
            let (stack, edge) = (self.stack.clone(), self.edge);
            let (path, seq) = (self.path.clone(), self.seq);
            let socket = until("an edge lets it in", async || {
                let url = format!("ws://{}{path}&since={seq}", stack.edge(edge));
                Socket::try_open(&url).await.ok()
            });
            self.socket = Some(socket.await);
        }
        self.socket.as_mut().expect("it was opened")
    }
}

story! {
    /// Every socket is told where it stands, comes back, and nobody misses, doubles or reorders anything.
    async fn writers_write_on_while_an_edge_ends(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, _bob) = stack.two_in_a_chat().await;
        let begin = ana.says("begin").await.seq();
        let path = format!("/ws/chat/{}/?token={}", ana.conversation(), ana.access);
        let edge = if shape == Shape::Local { "natter" } else { "edge-2" };
        let writers = (0..6).map(|n| Writer::new(&stack, &path, &format!("w{n}"), n % 2, begin));
        let writing = join_all(writers.map(Writer::writes).collect::<Vec<_>>());
        let ending = async {
            // In the middle of it.
            ana.hears_of("chat_message", |frame| frame.text("content").ends_with("-10")).await;
            let status = stack.deployment().await.service(edge).terminate().await;
            assert_eq!(status.code(), Some(0), "a clean end");
            if shape == Shape::Local {
                stack.comes_back().await;
            }
        };
        let (ended, ()) = tokio::join!(writing, ending);
        assert!(ended.iter().any(|writer| writer.n_goodbyes > 0), "somebody was sent away");
        let last = ended.iter().map(|writer| writer.acknowledged).max().expect("there are writers");
        let mut streams = Vec::new();
        for mut writer in ended {
            if writer.seq < last {
                while !writer.hears_until(|frame| frame["seq"] == last).await {}
            }
            streams.push(writer.heard);
        }
        assert!(streams.iter().all(|stream| *stream == streams[0]), "everybody heard the same");
        let mut said: Vec<_> = streams[0].values().cloned().collect();
        said.sort();
        let mut expected: Vec<_> =
            (0..6).flat_map(|n| (0..N_MESSAGES).map(move |number| format!("w{n}-{number}"))).collect();
        expected.sort();
        assert_eq!(said, expected, "each message once");
    }
}

/// Each program ends cleanly when it has nothing more to do.
#[tokio::test]
async fn every_program_ends_cleanly() {
    let stack = Stack::real().await;
    let (mut ana, _bob) = stack.two_in_a_chat().await;
    ana.says("before the end").await;
    let mut deployment = stack.deployment().await;
    for name in ["edge-1", "edge-2", "persistence-1", "persistence-2", "authz"] {
        assert_eq!(deployment.service(name).terminate().await.code(), Some(0), "{name}");
    }
}

story! {
    /// Work that does not end is not waited for longer than was set, and the exit code tells.
    async fn an_end_that_was_forced_is_told_from_a_clean_one(shape: Shape) {
        let edge = if shape == Shape::Local { "natter" } else { "edge-1" };
        let stack = shape.start_set(&[(edge, "DRAIN_SECONDS", "1")]).await;
        // The rest of this request never comes.
        let mut line = TcpStream::connect(stack.edge(0)).expect("the edge listens");
        let head = "POST /api/auth/login/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
            Content-Length: 100\r\n\r\n{";
        line.write_all(head.as_bytes()).expect("the edge reads");
        // Its answer tells that the edge has accepted the one before, too.
        assert_eq!(Rest::new(stack.edge(0)).request(Method::GET, "/api/nothing/", None).await.status, 404);

        let status = stack.deployment().await.service(edge).terminate().await;
        assert_eq!(status.code(), Some(3), "a forced end");
    }
}

/// Who asks whether it is ready is told no before anybody is turned away, so that nobody need be.
#[tokio::test]
async fn an_edge_says_that_it_ends_before_it_refuses_anybody() {
    let stack = Shape::Real.start_set(&[("edge-1", "EDGE_DRAIN_DELAY_SECONDS", "3")]).await;
    let (ana, _bob) = stack.two_in_a_chat().await;
    let mut deployment = stack.deployment().await;
    let edge = deployment.service("edge-1");
    edge.running().terminate();
    until("it says so", async || (edge.probe("readyz").await?.0 == 503).then_some(())).await;
    let mut late =
        Socket::open(&format!("ws://{}/ws/chat/{}/?token={}", edge.address(), ana.conversation(), ana.access)).await;
    assert!(matches!(late.hear().await, Heard::Goodbye(goodbye) if goodbye.code == 1012));
    assert_eq!(edge.running().ends().await.code(), Some(0), "a clean end");
}
