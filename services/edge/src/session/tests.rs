//! What each frame does, and what its sender is told.

use super::*;
use crate::lobby::Seat;
use crate::testing::{HERE, Stage, account, actor, relayed, until_head};
use natter_model::event::Body;
use serde_json::{Value, json};

struct Chat {
    stage: Stage,
    seat: Seat,
    ana: Session,
    bob: Session,
}

async fn chat(window_frames: usize) -> Chat {
    let stage = Stage::with_window(window_frames);
    let seat = stage.seat().await;
    let session = async |id, name| {
        let allowance = stage.limits.allowance(account(id));
        Session::new(
            Arc::new(actor(id, name)),
            HERE,
            stage.actions.clone(),
            seat.window.clone(),
            allowance,
            stage.pass(account(id)).await,
        )
    };
    let (ana, bob) = (session(2, "ana").await, session(3, "bob").await);
    Chat { stage, seat, ana, bob }
}

async fn told(session: &mut Session, frame: Value) -> Value {
    let reply = session.handle(&frame.to_string()).await;
    reply.map_or(Value::Null, |reply| serde_json::from_str(&reply.text).expect("replies are JSON"))
}

async fn problem(session: &mut Session, frame: Value) -> Value {
    told(session, frame).await["code"].clone()
}

async fn last_event(chat: &Chat) -> Body {
    use natter_log::port::Log;
    let entries = chat.stage.log.read(HERE, Position::START, 1000).await.expect("the log answers");
    entries.last().expect("something happened").event.body.clone()
}

#[tokio::test]
async fn content_is_appended_as_typed_and_edits_stripped() {
    let mut chat = chat(8).await;
    assert_eq!(told(&mut chat.ana, json!({"content": " hi \n"})).await, Value::Null);
    let content = " hi \n".to_owned();
    assert_eq!(last_event(&chat).await, Body::Posted { message: None, content, attachment: None, client_id: None });
    assert_eq!(told(&mut chat.ana, json!({"type": "edit", "message_id": "1", "content": " ho "})).await, Value::Null);
    let message = MessageId::new(1).expect("an id");
    assert_eq!(last_event(&chat).await, Body::Edited { message, content: "ho".to_owned() });
}

#[tokio::test]
async fn a_message_with_a_client_id_is_acknowledged_and_said_once() {
    let mut chat = chat(8).await;
    let frame = json!({"content": "hi", "client_id": "c-1"});
    let ack = told(&mut chat.ana, frame.clone()).await;
    assert_eq!((&ack["type"], &ack["client_id"], &ack["message_id"]), (&json!("ack"), &json!("c-1"), &json!(1)));
    assert_eq!(told(&mut chat.ana, frame.clone()).await, ack, "the same answer, also its time");
    assert_eq!(told(&mut chat.bob, frame).await["message_id"], 2, "another's name is another name");
}

#[tokio::test]
async fn only_the_sender_edits_and_deletes_and_only_once() {
    let mut chat = chat(8).await;
    told(&mut chat.ana, json!({"content": "hi"})).await;
    let edit = json!({"type": "edit", "message_id": 1, "content": "x"});
    let delete = json!({"type": "delete", "message_id": 1});
    assert_eq!(problem(&mut chat.bob, edit.clone()).await, "not_your_message");
    assert_eq!(problem(&mut chat.bob, delete.clone()).await, "not_your_message");
    assert_eq!(told(&mut chat.ana, delete.clone()).await, Value::Null);
    assert_eq!(problem(&mut chat.ana, delete).await, "already_deleted");
    assert_eq!(problem(&mut chat.ana, edit).await, "message_deleted");
    assert_eq!(told(&mut chat.bob, json!({"type": "read", "message_id": 1})).await, Value::Null);
}

#[tokio::test]
async fn persistence_is_asked_only_for_what_the_window_cannot_know() {
    let mut chat = chat(4).await;
    for n in 0..6 {
        told(&mut chat.ana, json!({"content": n.to_string()})).await;
    }
    until_head(&chat.seat, Position::new(6)).await;
    for (id, n_asked) in [(6, 0), (3, 1), (1, 2)] {
        assert_eq!(told(&mut chat.bob, json!({"type": "read", "message_id": id})).await, Value::Null);
        let appended = chat.bob.appended;
        until_head(&chat.seat, appended).await;
        assert_eq!(chat.stage.n_asked(), n_asked, "after {id}");
    }
    let receipt = json!({"type": "read", "message_id": 8});
    assert_eq!(problem(&mut chat.bob, receipt).await, "message_not_found", "8 is an event, not a message");
    assert_eq!(chat.stage.n_asked(), 2);
    assert_eq!(problem(&mut chat.bob, json!({"type": "read", "message_id": 99})).await, "message_not_found");
    assert_eq!(chat.stage.n_asked(), 3);
}

#[tokio::test]
async fn a_message_that_another_system_named_is_edited_read_and_deleted_by_its_id() {
    let mut chat = chat(4).await;
    for _ in 0..20 {
        // No messages, whose ids the log would give.
        chat.stage.remove(&actor(9, "eve")).await;
    }
    chat.stage.happens(&actor(2, "ana"), relayed(5, "from afar")).await;
    until_head(&chat.seat, Position::new(21)).await;
    let edit = json!({"type": "edit", "message_id": 5, "content": "edited"});
    chat.stage.persistence.take_away(true);
    assert_eq!(told(&mut chat.ana, edit.clone()).await, Value::Null, "the window has it");
    assert_eq!(last_event(&chat).await, Body::Edited { message: MessageId::new(5).unwrap(), content: "edited".into() });
    assert_eq!(problem(&mut chat.bob, edit).await, "not_your_message");
    chat.stage.persistence.take_away(false);
    for n in 0..4 {
        chat.stage.post(&actor(3, "bob"), &n.to_string()).await;
    }
    until_head(&chat.seat, Position::new(26)).await;
    assert_eq!(told(&mut chat.bob, json!({"type": "read", "message_id": 5})).await, Value::Null, "persistence has it");
    assert_eq!(told(&mut chat.ana, json!({"type": "delete", "message_id": 5})).await, Value::Null);
    assert_eq!(problem(&mut chat.ana, json!({"type": "delete", "message_id": 5})).await, "already_deleted");
}

#[tokio::test]
async fn a_client_sees_its_own_deeds_before_the_window_does() {
    let mut chat = chat(8).await;
    told(&mut chat.ana, json!({"content": "hi"})).await;
    until_head(&chat.seat, Position::new(1)).await;
    chat.stage.log.deafen(true);
    let delete = json!({"type": "delete", "message_id": 1});
    assert_eq!(told(&mut chat.ana, delete.clone()).await, Value::Null);
    assert_eq!(problem(&mut chat.ana, delete).await, "already_deleted");
    assert_eq!(chat.stage.n_asked(), 1);
}

#[tokio::test]
async fn what_fails_is_told_with_the_names_that_the_frame_gave() {
    let mut chat = chat(8).await;
    chat.stage.log.take_away(true);
    let mut answer = told(&mut chat.ana, json!({"content": "hi", "client_id": "c-1"})).await;
    let wait = answer.as_object_mut().expect("an error frame").remove("retry_after_ms");
    assert!(wait.as_ref().and_then(Value::as_u64).is_some_and(|wait| wait > 0), "{wait:?}");
    let expected = json!({"type": "error", "message": "Failed to send message. Please try again.",
        "code": "unavailable", "client_id": "c-1"});
    assert_eq!(answer, expected);
    let typing = json!({"type": "typing", "is_typing": true});
    assert_eq!(told(&mut chat.ana, typing).await, Value::Null, "typing fails silently");
    chat.stage.log.take_away(false);
    assert_eq!(problem(&mut chat.ana, json!({"content": "a\u{0}b"})).await, "null_character");
    assert_eq!(told(&mut chat.ana, json!({"type": "ping"})).await, json!({"type": "pong"}));
}

#[tokio::test]
async fn nothing_is_said_in_a_deleted_conversation() {
    let mut chat = chat(8).await;
    chat.stage.actions.delete_conversation(&actor(3, "bob"), HERE).await.expect("the log takes it");
    until_head(&chat.seat, Position::new(1)).await;
    assert_eq!(problem(&mut chat.ana, json!({"content": "hi"})).await, "conversation_not_found");
}

#[tokio::test]
async fn who_was_removed_says_nothing_more() {
    let mut chat = chat(8).await;
    chat.stage.remove(&actor(2, "ana")).await;
    until_head(&chat.seat, Position::new(1)).await;
    assert_eq!(problem(&mut chat.ana, json!({"content": "hi"})).await, "not_a_participant");
    assert_eq!(told(&mut chat.bob, json!({"content": "hi"})).await, Value::Null);
}
