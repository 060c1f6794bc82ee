//! What is taken from Redis, and what is not.

use natter_model::id::AccountId;
use serde_json::json;

use super::*;

const MOMENT: &str = "2025-11-13 10:05:00.123456+00:00";
const AT: Timestamp = Timestamp::from_micros(1_763_028_300_123_456);

fn heard(group: &str, event: Value) -> GroupMessage {
    let Value::Object(fields) = event else { panic!("an event is a map") };
    GroupMessage { group: group.to_owned(), event: GroupEvent::received(fields) }
}

fn read_in_chat(event: Value) -> Result<Said, Nonsense> {
    read(&heard("chat_7", event))
}

fn posted(changed: &[(&str, Value)]) -> Value {
    let mut event =
        json!({ "type": "chat_message", "message_id": 9, "sender": "ana", "content": " hi ", "timestamp": MOMENT });
    for (key, value) in changed {
        event[*key] = value.clone();
    }
    event
}

fn id(id: u64) -> MessageId {
    MessageId::new(id).unwrap()
}

#[test]
fn each_kind_is_understood_in_both_dialects() {
    let cases = [
        (posted(&[]), Deed::Posted { message: id(9), content: " hi ".to_owned(), at: AT }),
        (
            json!({ "type": "chat_message", "message_id": 9, "sender_id": 33, "sender_name": "ana", "content": "hi",
                    "timestamp": MOMENT, "attachment": null, "extra": [1, { "a": null }] }),
            Deed::Posted { message: id(9), content: "hi".to_owned(), at: AT },
        ),
        (
            json!({ "type": "read_receipt", "message_id": 9, "reader": "ana", "read_at": MOMENT }),
            Deed::Read { message: id(9), at: AT },
        ),
        (
            json!({ "type": "read.receipt", "message_id": 9, "reader_id": 33, "reader_name": "ana", "read_at": MOMENT }),
            Deed::Read { message: id(9), at: AT },
        ),
        (
            json!({ "type": "message_edited", "message_id": 9, "content": "new", "edited_at": MOMENT, "editor": "ana" }),
            Deed::Edited { message: id(9), content: "new".to_owned(), at: AT },
        ),
        (
            json!({ "type": "message_edited", "message_id": 9, "content": " new ", "edited_at": MOMENT,
                    "editor_id": 33, "editor_name": "ana" }),
            Deed::Edited { message: id(9), content: "new".to_owned(), at: AT },
        ),
        (json!({ "type": "message_deleted", "message_id": 9, "deleter": "ana" }), Deed::Deleted { message: id(9) }),
        (
            json!({ "type": "message_deleted", "message_id": 9, "deleter_id": 33, "deleter_name": "ana" }),
            Deed::Deleted { message: id(9) },
        ),
        (json!({ "type": "typing_indicator", "username": "ana", "is_typing": true }), Deed::Typing { is_typing: true }),
        (
            json!({ "type": "typing_indicator", "username": "ana", "is_typing": false, "profile_id": 33 }),
            Deed::Typing { is_typing: false },
        ),
    ];
    for (event, deed) in cases {
        let conversation = ConversationId::new(7).unwrap();
        assert_eq!(read_in_chat(event.clone()), Ok(Said { conversation, username: "ana".to_owned(), deed }), "{event}");
    }
}

#[test]
fn what_the_log_or_a_client_could_not_bear_is_no_deed() {
    let too_long = "x".repeat(MAX_CONTENT_CHARS + 1);
    let cases = [
        ("message_id", json!("9")),
        ("message_id", json!(9.0)),
        ("message_id", json!(0)),
        ("message_id", json!(-9)),
        ("message_id", json!(1_u64 << 53)),
        ("message_id", json!(true)),
        ("message_id", Value::Null),
        ("sender", json!("")),
        ("sender", json!(33)),
        ("sender", json!("a\0")),
        ("sender", json!("x".repeat(151))),
        ("content", json!(" \u{1c} ")),
        ("content", json!("a\0b")),
        ("content", json!(too_long)),
        ("content", json!(["hi"])),
        ("content", Value::Null),
        ("timestamp", json!("t")),
        ("timestamp", json!("2025-11-13 10:05:00")),
        ("timestamp", json!("-000009-11-13 10:05:00+00:00")),
        ("timestamp", json!(1_763_028_300)),
    ];
    for (key, value) in cases {
        assert_eq!(read_in_chat(posted(&[(key, value.clone())])), Err(Nonsense::Key(key)), "{value}");
    }
    let longest = "ü".repeat(MAX_CONTENT_CHARS);
    assert!(read_in_chat(posted(&[("content", json!(longest)), ("sender", json!("x".repeat(150)))])).is_ok());
    let event = json!({ "type": "typing_indicator", "username": "ana", "is_typing": 1 });
    assert_eq!(read_in_chat(event), Err(Nonsense::Key("is_typing")));
    let nobody = json!({ "type": "message_deleted", "message_id": 9, "deleter_id": 33 });
    assert_eq!(read_in_chat(nobody), Err(Nonsense::Key("deleter")));
}

#[test]
fn other_groups_are_nobodys() {
    for group in [
        "chat_",
        "chat_0",
        "chat_x",
        "chat_+7",
        "chat_-7",
        "chat_7 ",
        "Chat_7",
        "presence",
        "chat_99999999999999999999",
    ] {
        assert_eq!(read(&heard(group, posted(&[]))), Err(Nonsense::Group), "{group}");
    }
    assert_eq!(read(&heard("chat_007", posted(&[]))).unwrap().conversation, ConversationId::new(7).unwrap());
}

#[test]
fn nothing_that_ends_a_client_of_django_is_a_deed() {
    let recorded = recorded();
    let mut n_deadly = 0;
    for case in recorded["events"].as_array().unwrap() {
        let read = read_in_chat(case["event"].clone());
        if case["me"]["dies"].is_string() {
            assert_eq!(read, Err(Nonsense::Type), "{}", case["event"]);
            n_deadly += 1;
        }
    }
    assert!(n_deadly > 5);
}

#[test]
fn whoever_relays_it_makes_the_same_event() {
    let actor = || Actor { id: AccountId::new(2).unwrap(), username: "ana".to_owned() };
    let first = read_in_chat(posted(&[])).unwrap().event(actor()).unwrap();
    let second = read_in_chat(posted(&[("sender_name", json!("ana"))])).unwrap().event(actor()).unwrap();
    assert_eq!(first, second);
    assert_eq!((first.origin, first.at), (Origin::Channels, AT));
    assert!(matches!(first.body, Body::Posted { message: Some(message), .. } if message == id(9)));
    let typing = read_in_chat(json!({ "type": "typing_indicator", "username": "ana", "is_typing": true })).unwrap();
    assert_eq!(typing.event(actor()), None);
    assert_eq!(typing.signal(actor()).unwrap().origin, Origin::Channels);
}

/// What was recorded of the consumer's sockets.
fn recorded() -> Value {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/ws.json"));
    serde_json::from_str(text).unwrap()
}
