//! What is wrong gets the right error, and the socket stays open.

use natter_tests::client::Client;
use natter_tests::rest::{Answer, Rest};
use natter_tests::stack::Shape;
use natter_tests::story;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

/// Sends a frame that is wrong, expects this error with a code, and that the socket is of use afterwards.
async fn is_refused(client: &mut Client, frame: &str, text: &str) {
    client.sends_text(frame).await;
    let told = client.is_told().await;
    let frame: String = frame.chars().take(80).collect();
    assert_eq!(told["message"], text, "for {frame}");
    assert!(told["code"].as_str().is_some_and(|code| !code.is_empty()), "for {frame}: {told}");
    client.says(&format!("after {frame}")).await;
}

story! {
    async fn frames_that_are_not_understood(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, _bob) = stack.two_in_a_chat().await;
        let too_long = "x".repeat(5001);
        for (frame, text) in [
            (String::new(), "Invalid JSON format"),
            ("hello".to_owned(), "Invalid JSON format"),
            (r#"{"type": "message", "content": "cut o"#.to_owned(), "Invalid JSON format"),
            ("[]".to_owned(), "Failed to send message. Please try again."),
            ("7".to_owned(), "Failed to send message. Please try again."),
            (r#"{"type": "message"}"#.to_owned(), "Message content is required"),
            (r#"{"type": "message", "content": 7}"#.to_owned(), "Message content must be a string"),
            (r#"{"type": "message", "content": ""}"#.to_owned(), "Message content is required"),
            (r#"{"type": "message", "content": " \n\t"}"#.to_owned(), "Message content cannot be empty or whitespace only"),
            (json!({"type": "message", "content": too_long}).to_string(), "Message content is too long (maximum 5000 characters)"),
            (r#"{"type": "typing", "is_typing": "yes"}"#.to_owned(), "is_typing must be a boolean value"),
            (r#"{"type": "edit", "message_id": 1}"#.to_owned(), "Valid 'content' or 'new_content' is required for editing"),
            (r#"{"type": "delete"}"#.to_owned(), "message_id is required for deletion"),
        ] {
            is_refused(&mut ana, &frame, text).await;
        }
    }
}

story! {
    async fn ids_that_name_no_message(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, _bob) = stack.two_in_a_chat().await;
        for (id, text) in [
            (json!(0), "message_id is required for read receipts"),
            (json!(-1), "Message -1 not found"),
            (json!(9_007_199_254_740_992_u64), "Message 9007199254740992 not found"),
            (json!(18_446_744_073_709_551_615_u64), "Message 18446744073709551615 not found"),
            (json!(900_000.5), "Message 900000 not found"),
            (json!("900000"), "Message 900000 not found"),
            (json!("abc"), "message_id must be a valid integer"),
            (json!("1.5"), "message_id must be a valid integer"),
            (json!([1]), "message_id must be a valid integer"),
        ] {
            is_refused(&mut ana, &json!({"type": "read", "message_id": id}).to_string(), text).await;
        }
    }
}

story! {
    async fn a_type_that_nobody_knows_is_refused_and_the_known_ones_are_named(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, mut bob) = stack.two_in_a_chat().await;
        ana.sends(json!({"type": "reaction", "content": "+1"})).await;
        let told = ana.is_told().await;
        assert_eq!(told["code"], "unknown_type");
        for known in ["message", "read", "typing", "edit", "delete"] {
            assert!(told.text("message").contains(known), "{told}");
        }
        for kind in [json!("message"), json!("chat_message"), Value::Null, json!(7), json!(["read"])] {
            let content = format!("as {kind}");
            ana.sends(json!({"type": kind, "content": content})).await;
            assert_eq!(bob.hears_next().await["content"], content);
        }
    }
}

story! {
    async fn a_frame_over_64_kib_is_refused(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, mut bob) = stack.two_in_a_chat().await;
        let frame = json!({"type": "message", "content": "x", "padding": "x".repeat(64 * 1024)}).to_string();
        ana.sends_text(&frame).await;
        let told = ana.is_told().await;
        assert!(told.text("message").contains("65536"), "the limit is named: {told}");
        bob.hears(ana.says("still here").await).await;

        let envelope = json!({"type": "message", "content": "fits", "padding": ""}).to_string().len();
        let padding = "x".repeat(64 * 1024 - envelope);
        ana.sends(json!({"type": "message", "content": "fits", "padding": padding})).await;
        assert_eq!(bob.hears_next().await["content"], "fits");
    }
}

story! {
    async fn a_binary_frame_is_refused(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, mut bob) = stack.two_in_a_chat().await;
        ana.sends_raw(Message::binary(br#"{"type": "message", "content": "hi"}"#.to_vec())).await;
        assert!(ana.is_told().await.text("message").contains("inary"));
        bob.hears(ana.says("as text").await).await;
    }
}

story! {
    /// Only what breaks the WebSocket protocol itself ends the connection.
    async fn a_message_far_too_big_ends_the_connection(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, mut bob) = stack.two_in_a_chat().await;
        // The server may stop reading before all of it is sent.
        ana.sends_if_it_can(Message::text("x".repeat(8 * 1024 * 1024))).await;
        ana.is_gone().await;
        ana.reconnects().await;
        bob.hears(ana.says("here again").await).await;
    }
}

story! {
    async fn requests_that_make_no_sense(shape: Shape) {
        let stack = shape.start().await;
        let (ana, _bob) = stack.two_in_a_chat().await;
        let rest = Rest::new(stack.edge(0)).with_token(&ana.access);
        let send = format!("/api/chat/conversations/{}/send_message/", ana.conversation());

        for path in ["/", "/api/", "/api/nothing/", "/api/chat/nothing/", "/favicon.ico", "/api/chat/conversations/1/nothing/"] {
            assert_eq!(rest.request(Method::GET, path, None).await.status, 404, "{path}");
        }
        for path in ["/api/chat/conversations/abc/", "/api/chat/messages/abc/", "/api/chat/conversations/1.5/messages/"] {
            let answer = rest.request(Method::GET, path, None).await;
            assert_eq!((answer.status, &answer["detail"]), (404, &json!("Not found.")), "{path}");
        }
        for (method, path) in [
            (Method::GET, "/api/auth/login/"),
            (Method::PUT, "/api/chat/conversations/start/"),
            (Method::GET, send.as_str()),
            (Method::DELETE, "/api/chat/conversations/"),
        ] {
            let answer = rest.request(method.clone(), path, None).await;
            let text = format!("Method \"{method}\" not allowed.");
            assert_eq!((answer.status, &answer["detail"]), (405, &json!(text)), "{method} {path}");
            assert!(!answer.header("allow").is_empty(), "{method} {path}");
        }
        for body in ["", "{", "hello", "{\"content\": }"] {
            let request = rest.build(Method::POST, &send).header("Content-Type", "application/json").body(body);
            let answer = Answer::of(request).await;
            assert_eq!(answer.status, 400, "{body}: {}", answer.text);
            assert!(answer.body.is_object(), "{body}: {}", answer.text);
        }
        let request = rest.build(Method::POST, &send).header("Content-Type", "text/csv").body("content");
        assert_eq!(Answer::of(request).await.status, 415);
    }
}
