//! Client frames, against recorded answers of the Django chat: as far as they can be told without looking anything up.

use natter_wire::client::{self, Request};
use natter_wire::problem::Problem;
use serde_json::{Value, json};

/// Types that the Django chat takes for chat messages and Natter does not, so that a frame of tomorrow is not posted
/// as a message today.
const DIFFERENT: [&str; 6] = ["MESSAGE", "ping", "pong", "read_receipt", "edit_message", ""];

fn frames() -> Vec<Value> {
    let all: Value =
        serde_json::from_str(include_str!("../../../tests/vectors/ws.json")).expect("the vectors are JSON");
    all["frames"].as_array().expect("frames are a list").clone()
}

fn text_of(frame: &Value) -> String {
    match frame {
        Value::String(text) => text.clone(),
        template => {
            let mut members = template["template"].clone();
            members["content"] = match template["literal"].as_str() {
                Some(literal) => json!(literal),
                None => {
                    let count = template["count"].as_u64().expect("a count") as usize;
                    json!(template["unit"].as_str().expect("a unit").repeat(count))
                }
            };
            members.to_string()
        }
    }
}

fn depends_on_the_message(text: &str) -> bool {
    text.ends_with("not found")
        || text.starts_with("You can only")
        || text == "Cannot edit a deleted message"
        || text == "Message is already deleted"
}

#[test]
fn frames_are_understood_as_django_understands_them() {
    let (mut n_requests, mut n_refused) = (0, 0);
    for vector in frames() {
        let text = text_of(&vector["frame"]);
        let kind = serde_json::from_str::<Value>(&text).ok().and_then(|frame| Some(frame["type"].as_str()?.to_owned()));
        if kind.is_some_and(|kind| DIFFERENT.contains(&kind.as_str())) {
            continue;
        }
        let by = vector["by"].as_str().expect("somebody sends it");
        let expected = vector[by][0].as_object().filter(|frame| frame["type"] == "error");
        let expected = expected.map(|frame| frame["message"].as_str().expect("an error has a text"));
        let also_right = vector["may_error"].as_str();
        let frame = client::read(&text);
        match (&frame.request, expected) {
            (Ok(_), None) => n_requests += 1,
            (Ok(_), Some(told)) => assert!(depends_on_the_message(told), "{text} should be refused: {told}"),
            (Err(problem), told) => {
                let answer = problem.text(frame.deed);
                assert!(Some(&*answer) == told || Some(&*answer) == also_right, "{text} is refused: {answer}");
                n_refused += 1;
            }
        }
    }
    assert!(n_requests > 40 && n_refused > 60, "the vectors are all there: {n_requests}, {n_refused}");
}

#[test]
fn a_type_that_nobody_knows_is_refused() {
    for kind in ["MESSAGE", "pong", "read_receipt", "edit_message", "", "authenticated"] {
        let frame = client::read(&json!({"type": kind, "content": "x"}).to_string());
        assert_eq!(frame.request, Err(Problem::UnknownType), "{kind}");
    }
    assert_eq!(client::read(r#"{"type":"ping"}"#).request, Ok(Request::Ping));
}

#[test]
fn a_new_token_is_a_text_that_is_never_shown() {
    let frame = client::read(r#"{"type":"auth","token":"a.b.c"}"#);
    assert!(!format!("{frame:?}").contains("a.b.c"), "{frame:?}");
    let Ok(Request::Auth { token }) = frame.request else { panic!("{frame:?}") };
    assert_eq!(token.expose(), "a.b.c");
    for wrong in [r#"{"type":"auth"}"#, r#"{"type":"auth","token":""}"#, r#"{"type":"auth","token":["a"]}"#] {
        assert_eq!(client::read(wrong).request, Err(Problem::TokenRequired), "{wrong}");
    }
}

#[test]
fn a_client_id_is_a_short_text() {
    let message = |client_id: Value| json!({"content": "x", "client_id": client_id}).to_string();
    let named = |id: &str| Ok(Request::Message { content: "x".to_owned(), client_id: Some(id.to_owned()) });
    let longest = "é".repeat(64);
    assert_eq!(client::read(&message(json!(longest))).request, named(&longest));
    let unnamed = Ok(Request::Message { content: "x".to_owned(), client_id: None });
    assert_eq!(client::read(&message(Value::Null)).request, unnamed);
    for bad in [json!("é".repeat(65)), json!(""), json!(7), json!(["x"]), json!("a\0b")] {
        assert_eq!(client::read(&message(bad.clone())).request, Err(Problem::InvalidClientId), "{bad}");
    }
}

#[test]
fn hostile_json_is_refused_and_nothing_worse() {
    let deep = "[".repeat(60_000);
    let digits = "9".repeat(60_000);
    let hostile = [
        format!(r#"{{"content":{deep}"#),
        format!(r#"{{"content":{deep}{}}}"#, "]".repeat(60_000)),
        format!(r#"{{"type":"read","message_id":{digits}}}"#),
        format!(r#"{{"type":"read","message_id":-{digits}}}"#),
        r#"{"type":"read","message_id":1e400}"#.to_owned(),
        r#"{"content":"\ud800"}"#.to_owned(),
        r#"{"content":NaN}"#.to_owned(),
    ];
    for text in hostile {
        let request = client::read(&text).request;
        assert_eq!(request, Err(Problem::InvalidJson), "{}", &text[..40.min(text.len())]);
    }
}

#[test]
fn ids_outside_of_what_can_be_are_not_found() {
    for id in ["-1", "9007199254740992", "18446744073709551615", "\"99999999999999999999\"", "\"0\""] {
        let frame = client::read(&format!(r#"{{"type":"delete","message_id":{id}}}"#));
        assert_eq!(frame.request, Err(Problem::MessageNotFound(id.trim_matches('"').to_owned())));
    }
}
