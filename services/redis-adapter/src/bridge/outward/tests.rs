//! What Django's consumer makes of it: as recorded of the consumer itself, and the same that Natter's own clients see.

use natter_model::event::Event;
use natter_model::id::{AccountId, EventId, MessageId, Position};
use natter_model::timestamp::Timestamp;
use natter_wire::server;
use serde_json::{Map, Value, json};

use super::*;

const AT: Timestamp = Timestamp::from_micros(1_763_028_300_123_456);

fn ana() -> Actor {
    Actor { id: AccountId::new(4).unwrap(), username: "Jürgen_中文".to_owned() }
}

fn entry(origin: Origin, body: Body) -> Entry {
    let conversation = ConversationId::new(7).unwrap();
    let event = Event { id: EventId::fresh(), conversation, actor: ana(), at: AT, origin, body };
    Entry { position: Position::new(1000), previous: Position::START, event }
}

fn bodies() -> [Body; 6] {
    let message = MessageId::new(9).unwrap();
    let posted = |content: &str, attachment: Option<&str>| Body::Posted {
        message: None,
        content: content.to_owned(),
        attachment: attachment.map(str::to_owned),
        client_id: Some("c1".to_owned()),
    };
    [
        posted("  as typed \n", None),
        posted("", Some("chat_attachments/a b.pdf")),
        Body::Edited { message, content: "new".to_owned() },
        Body::Deleted { message },
        Body::Read { message },
        Body::Posted {
            message: Some(message),
            content: "put back by hand".to_owned(),
            attachment: None,
            client_id: None,
        },
    ]
}

/// What the consumer sends to its client when it hears this in the group.
fn forwarded(event: &Map<String, Value>) -> Value {
    let copied = |kind: &str, keys: &[&str]| {
        let mut frame = json!({ "type": kind });
        for key in keys {
            frame[*key] = event.get(*key).cloned().unwrap_or(Value::Null);
        }
        frame
    };
    match event["type"].as_str().unwrap() {
        "typing_indicator" => copied("typing", &["username", "is_typing"]),
        "message_edited" => copied("edit", &["message_id", "content", "edited_at", "editor"]),
        "message_deleted" => copied("delete", &["message_id", "deleter"]),
        _ => Value::Object(event.clone()),
    }
}

fn fields(message: &GroupMessage) -> Map<String, Value> {
    message.event.fields().iter().cloned().collect()
}

#[test]
fn the_consumer_here_is_like_the_recorded_one() {
    let recorded = recorded();
    let mut n_seen = 0;
    for case in recorded["events"].as_array().unwrap() {
        // Clients hear nothing of their own typing.
        for frames in [&case["me"], &case["other"]] {
            if let Some([frame]) = frames.as_array().map(Vec::as_slice) {
                assert_eq!(forwarded(case["event"].as_object().unwrap()), *frame);
                n_seen += 1;
            }
        }
    }
    assert!(n_seen > 15, "{n_seen}");
}

#[test]
fn djangos_clients_see_what_natters_see() {
    for body in bodies() {
        let entry = entry(Origin::Natter, body);
        let message = event(&entry).unwrap();
        assert_eq!(message.group, "chat_7");
        let seen = forwarded(&fields(&message));
        let mut natters: Map<String, Value> = serde_json::from_str(&server::event(&entry).unwrap().text).unwrap();
        natters.remove("seq");
        for (key, value) in seen.as_object().unwrap() {
            assert_eq!(natters.get(key), Some(value), "{key}");
        }
        // Edits and deletes lose the keys that the consumer does not know.
        if matches!(message.event.kind(), Some(Kind::ChatMessage | Kind::ReadReceipt)) {
            assert_eq!(seen, Value::Object(natters));
        }
    }
}

#[test]
fn both_dialects_find_their_keys() {
    for body in bodies() {
        let message = event(&entry(Origin::Natter, body)).unwrap();
        let role = match message.event.kind().unwrap() {
            Kind::ChatMessage => "sender",
            Kind::MessageEdited => "editor",
            Kind::MessageDeleted => "deleter",
            Kind::ReadReceipt => "reader",
            Kind::TypingIndicator => unreachable!("it is no event"),
        };
        let fields = fields(&message);
        assert_eq!(fields[role], "Jürgen_中文");
        assert_eq!(fields[&format!("{role}_name")], "Jürgen_中文");
        assert_eq!(fields[&format!("{role}_id")], 4);
        assert!(fields.values().all(|value| !value.is_null()), "{fields:?}");
    }
}

#[test]
fn nothing_goes_back_to_where_it_came_from_and_nothing_else_is_said() {
    for body in bodies() {
        assert_eq!(event(&entry(Origin::Channels, body)), None);
    }
    for body in [Body::ConversationDeleted, Body::ParticipantRemoved] {
        assert_eq!(event(&entry(Origin::Natter, body)), None, "a type that Django does not handle ends its clients");
    }
}

#[test]
fn typing_is_told_with_the_profile_that_filters_it() {
    let typing = |origin| Signal {
        conversation: ConversationId::new(7).unwrap(),
        actor: ana(),
        origin,
        body: SignalBody::Typing { is_typing: true },
    };
    let message = signal(&typing(Origin::Natter)).unwrap();
    let expected = json!({ "type": "typing_indicator", "username": "Jürgen_中文", "profile_id": 4, "is_typing": true });
    assert_eq!(Value::Object(fields(&message)), expected);
    assert_eq!(forwarded(&fields(&message)), json!({ "type": "typing", "username": "Jürgen_中文", "is_typing": true }));
    assert_eq!(signal(&typing(Origin::Channels)), None);
}

/// What was recorded of the consumer's sockets.
fn recorded() -> Value {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/ws.json"));
    serde_json::from_str(text).unwrap()
}
