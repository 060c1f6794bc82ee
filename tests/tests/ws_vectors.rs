//! Every handshake and frame of `ws.json`, in order, against the real program.

use std::collections::{BTreeMap, BTreeSet};

use natter_tests::client::Client;
use natter_tests::frame::Frame;
use natter_tests::socket::{Heard, Socket};
use natter_tests::stack::{Shape, Stack};
use natter_tests::story;
use natter_tests::vectors::ws::{Case, Row, Vectors};
use natter_tests::vectors::{Comparison, MessageIds};
use serde_json::{Value, json};

/// Keys that Natter's frames carry beyond the recorded ones.
const ADDITIONS: &[&str] = &[
    "seq",
    "sender_id",
    "sender_name",
    "reader_id",
    "reader_name",
    "editor_id",
    "editor_name",
    "deleter_id",
    "deleter_name",
    "profile_id",
    "code",
    "attachment",
    "message_id",
    "client_id",
];

/// The `type`s that a client may send. Any other string is refused, which the reference takes for a chat message.
const KNOWN_TYPES: &[&str] = &["message", "chat_message", "read", "typing", "edit", "delete"];

/// Where Natter answers otherwise, on purpose.
struct Exception {
    why: &'static str,
    /// What the sender gets instead; nobody else gets anything.
    answer: Value,
}

async fn client(vectors: &Vectors, stack: &Stack, id: u64, token: &str, edge: usize) -> Client {
    let token = &vectors.tokens[token];
    let mut client = Client::with_token(stack.clone(), id, vectors.username(id), token).on_edge(edge);
    client.joins(1).await;
    client
}

fn exception(case: &Case) -> Option<Exception> {
    let frame: Value = serde_json::from_str(&case.text()).unwrap_or_default();
    match frame["type"].as_str() {
        Some("ping") => Some(Exception { why: "an application's ping is answered", answer: json!({"type": "pong"}) }),
        Some(kind) if !KNOWN_TYPES.contains(&kind) => Some(Exception {
            why: "an unknown type may be tomorrow's frame, so it is no chat message today",
            answer: json!({"type": "error", "code": "unknown_type"}),
        }),
        _ if case.note.as_deref().is_some_and(|note| note.contains("original's slip")) => Some(Exception {
            why: "a message of another conversation is not to be found here",
            answer: json!({"type": "error", "message": case.may_error}),
        }),
        _ => None,
    }
}

story! {
    /// Each URL is let in, or closed with the recorded code and a reason.
    async fn every_handshake(shape: Shape) {
        let vectors = Vectors::load();
        let stack = shape.start_with(&vectors.world).await;
        let mut wrong = Vec::new();
        for connect in &vectors.connects {
            let is_inactive = connect.url.contains("{asleep}");
            // The reference lets inactive accounts chat that may not log in. Natter refuses them, as the recording
            // says is allowed.
            let expected = if is_inactive { Some(4001) } else { connect.close_code };
            assert!(!is_inactive || expected != connect.close_code, "no exception is needed any more");
            let heard = first_words(&stack, &vectors.fill_in(&connect.url)).await;
            let right = match (&heard, expected) {
                (Heard::Frame(frame), None) => frame["message"] == "Invalid JSON format",
                (Heard::Goodbye(goodbye), Some(code)) => goodbye.code == code && !goodbye.reason.is_empty(),
                _ => false,
            };
            if !right {
                wrong.push(format!("{} ({:?}): expected {expected:?}, got {heard:?}", connect.url, connect.note));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

/// What the server says first to somebody who sends a frame that nobody understands.
async fn first_words(stack: &Stack, path: &str) -> Heard {
    let mut socket = Socket::open(&format!("ws://{}{path}", stack.edge(0))).await;
    // Refused, the connection may be gone before this is sent.
    socket.send("not json".into()).await.ok();
    socket.hear().await
}

story! {
    /// Each frame is answered and relayed as recorded, to exactly those who got it then, and stored as recorded.
    async fn every_frame(shape: Shape) {
        let vectors = Vectors::load();
        let stack = shape.start_with(&vectors.world).await;
        let mut clients = BTreeMap::from([
            ("me", client(&vectors, &stack, 2, "me", 0).await),
            ("me2", client(&vectors, &stack, 2, "me", 1).await),
            ("other", client(&vectors, &stack, 3, "other", 1).await),
        ]);
        let mut ids = MessageIds::new(6);
        let mut never_said = BTreeSet::new();
        let mut wrong = Vec::new();
        let mut reasons = BTreeSet::new();

        for (number, case) in vectors.frames.iter().enumerate() {
            let heard = case.exchange(&mut clients, number).await;
            let mut differences = case.differences(&heard, &mut Comparison { ids: &mut ids, additions: ADDITIONS });
            if let Some(error) = &case.may_error
                && !differences.is_empty()
                && case.is_only_answer(&heard, &json!({"type": "error", "message": error}))
            {
                differences.clear();
            }
            if let Some(Exception { why, answer }) = exception(case) {
                assert!(!case.is_only_answer(&as_recorded(case), &answer), "frame {number} needs no exception ({why})");
                reasons.insert(why);
                never_said.extend(case.me.iter().filter_map(|frame| frame["message_id"].as_u64()));
                differences.clear();
                if !case.is_only_answer(&heard, &answer) {
                    differences.push(format!("expected only {answer} for {}, since {why}; got {heard:?}", case.by));
                }
            }
            if !differences.is_empty() {
                let answer = heard[&case.by].iter().map(Frame::to_string).collect::<Vec<_>>().join(" ");
                let text = case.text();
                wrong.push(format!("frame {number} {text:.200}, answered {answer:.300}:\n  {}", differences.join("\n  ")));
            }
        }
        assert_eq!(reasons.len(), 3, "every kind of exception is there for a frame");
        assert!(wrong.is_empty(), "{} frames differ:\n{}", wrong.len(), wrong.join("\n"));

        let never_said: BTreeSet<u64> = never_said.into_iter().filter(|id| ids.get(*id).is_none()).collect();
        for row in &vectors.stored {
            let Some(id) = ids.get(row.id) else {
                assert!(never_said.contains(&row.id), "message {} was never shown", row.id);
                continue;
            };
            let reader = if row.conversation == 1 { "me" } else { "other" };
            let stored = clients[reader].get(&format!("/api/chat/messages/{id}/")).await.expect_status(200);
            is_stored_as_recorded(row, &stored.body);
        }
    }
}

fn as_recorded(case: &Case) -> BTreeMap<String, Vec<Frame>> {
    let frames = |who: &str| case.recorded(who).into_iter().map(Frame).collect();
    ["me", "me2", "other"].into_iter().map(|who| (who.to_owned(), frames(who))).collect()
}

fn is_stored_as_recorded(row: &Row, stored: &Value) {
    // The reference let somebody of another conversation mark and change this message.
    let is_slip = row.conversation == 2;
    assert!(!is_slip || (row.edited && row.is_read), "no exception is needed any more");
    let content = stored["content"].as_str().expect("a stored message has content");
    assert!(if is_slip { content == "imported" } else { row.says(content) }, "message {} says {content}", row.id);
    assert_eq!(stored["sender"], row.sender, "message {}", row.id);
    assert_eq!(stored["conversation"], row.conversation, "message {}", row.id);
    assert_eq!(stored["is_deleted"], row.is_deleted, "message {}", row.id);
    assert_eq!(stored["is_read"], row.is_read && !is_slip, "message {}", row.id);
    assert_eq!(!stored["edited_at"].is_null(), row.edited && !is_slip, "message {}", row.id);
}
