//! The frames that clients hear, key by key.

use std::time::Duration;

use natter_model::event::{Actor, Body, Entry, Event, Origin, Signal, SignalBody};
use natter_model::id::{AccountId, ConversationId, EventId, MessageId, Position};
use natter_model::timestamp::Timestamp;
use natter_wire::kind::FrameKind;
use natter_wire::problem::{Deed, Problem};
use natter_wire::server::Encoded;
use natter_wire::{client, server};
use serde_json::{Value, json};

const MOMENT: Duration = Duration::from_millis(1500);
const AT: Timestamp = Timestamp::from_micros(1_763_028_300_123_456);

fn actor() -> Actor {
    Actor { id: AccountId::new(2).expect("an id"), username: "john_doe".to_owned() }
}

fn told(body: Body) -> Value {
    let conversation = ConversationId::new(1).expect("an id");
    let event = Event { id: EventId::fresh(), conversation, actor: actor(), at: AT, origin: Origin::Natter, body };
    let entry = Entry { position: Position::new(7), previous: Position::START, event };
    server::event(&entry).map_or(Value::Null, |frame| parsed(&frame))
}

fn parsed(frame: &Encoded) -> Value {
    let json: Value = serde_json::from_str(&frame.text).expect("frames are JSON");
    assert_eq!(json["type"], frame.kind.name(), "what is counted is what is sent");
    json
}

fn message() -> MessageId {
    MessageId::new(5).expect("an id")
}

#[test]
fn a_post_carries_both_dialects() {
    let body =
        Body::Posted { message: None, content: " hi ".to_owned(), attachment: None, client_id: Some("c".to_owned()) };
    let expected = json!({
        "type": "chat_message", "message_id": 7, "sender": "john_doe", "sender_id": 2, "sender_name": "john_doe",
        "content": " hi ", "timestamp": "2025-11-13 10:05:00.123456+00:00", "seq": 7,
    });
    assert_eq!(told(body), expected);
    let body = Body::Posted {
        message: None,
        content: String::new(),
        attachment: Some("chat_attachments/a b.pdf".into()),
        client_id: None,
    };
    assert_eq!(told(body)["attachment"], "/media/chat_attachments/a%20b.pdf");
    let body =
        Body::Posted { message: Some(message()), content: "from afar".to_owned(), attachment: None, client_id: None };
    let frame = told(body);
    assert_eq!((&frame["message_id"], &frame["seq"]), (&json!(5), &json!(7)), "another system gave it its id");
}

#[test]
fn other_events_name_the_message_and_the_actor() {
    let at = "2025-11-13 10:05:00.123456+00:00";
    let read = json!({"type": "read_receipt", "message_id": 5, "reader": "john_doe", "reader_id": 2,
        "reader_name": "john_doe", "read_at": at, "seq": 7});
    assert_eq!(told(Body::Read { message: message() }), read);
    let edit = json!({"type": "edit", "message_id": 5, "content": "new", "edited_at": at, "editor": "john_doe",
        "editor_id": 2, "editor_name": "john_doe", "seq": 7});
    assert_eq!(told(Body::Edited { message: message(), content: "new".to_owned() }), edit);
    let delete = json!({"type": "delete", "message_id": 5, "deleter": "john_doe", "deleter_id": 2,
        "deleter_name": "john_doe", "seq": 7});
    assert_eq!(told(Body::Deleted { message: message() }), delete);
    assert_eq!(told(Body::ConversationDeleted), Value::Null);
}

#[test]
fn what_only_one_socket_hears() {
    let conversation = ConversationId::new(1).expect("an id");
    let typing =
        Signal { conversation, actor: actor(), origin: Origin::Natter, body: SignalBody::Typing { is_typing: true } };
    let expected = json!({"type": "typing", "username": "john_doe", "profile_id": 2, "is_typing": true});
    assert_eq!(parsed(&server::signal(&typing)), expected);
    let ack = json!({"type": "ack", "client_id": "c-1", "message_id": 7,
        "timestamp": "2025-11-13 10:05:00.123456+00:00"});
    assert_eq!(parsed(&server::ack("c-1", Position::new(7), AT)), ack);
    assert_eq!(parsed(&server::caught_up(Position::new(9))), json!({"type": "caught_up", "seq": 9}));
    assert_eq!(parsed(&server::pong()), json!({"type": "pong"}));
    let authenticated = json!({"type": "authenticated", "expires_at": "2025-11-13 10:05:00.123456+00:00"});
    assert_eq!(parsed(&server::authenticated(AT)), authenticated);
}

#[test]
fn an_error_repeats_the_names_that_the_frame_gave() {
    let answer = |text: &str| {
        let frame = client::read(text);
        let problem = frame.request.expect_err("the frame is wrong");
        parsed(&server::error(frame.deed, &problem, &frame.echo))
    };
    let expected = json!({"type": "error", "message": "Message content is required", "code": "content_required",
        "client_id": "c-1"});
    assert_eq!(answer(r#"{"type":"message","content":"","client_id":"c-1"}"#), expected);
    let expected = json!({"type": "error", "message": "Message -1 not found", "code": "message_not_found",
        "message_id": "-1"});
    assert_eq!(answer(r#"{"type":"read","message_id":"-1"}"#), expected);
    let expected = json!({"type": "error", "message": "message_id must be a valid integer",
        "code": "invalid_message_id"});
    assert_eq!(answer(r#"{"type":"read","message_id":[1]}"#), expected);
    let too_large = server::error(Deed::Message, &Problem::FrameTooLarge(65536), &client::Echo::default());
    assert_eq!(parsed(&too_large)["code"], "frame_too_large");
    for (problem, code) in
        [(Problem::Unavailable(MOMENT), "unavailable"), (Problem::RateLimited(MOMENT), "rate_limited")]
    {
        let answer = parsed(&server::error(Deed::Edit, &problem, &client::Echo::default()));
        assert_eq!((&answer["code"], &answer["retry_after_ms"]), (&json!(code), &json!(1500)));
    }
}

#[test]
fn each_kind_stands_where_it_is_looked_for() {
    for (place, kind) in FrameKind::ALL.into_iter().enumerate() {
        assert_eq!(kind as usize, place, "{}", kind.name());
    }
}
