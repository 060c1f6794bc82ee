//! The flow that the users' documentation promises, step by step.

use natter_tests::client::Client;
use natter_tests::fixture::{PASSWORD, World};
use natter_tests::frame::Frame;
use natter_tests::rest::Rest;
use natter_tests::stack::{Shape, Stack};
use natter_tests::story;
use serde_json::json;

/// John and Jane, logged in with their passwords, on different edges where there are two.
async fn john_and_jane(stack: &Stack) -> (Client, Client) {
    let john = Client::log_in(stack.clone(), "john_doe", PASSWORD).await;
    let jane = Client::log_in(stack.clone(), "jane_smith", PASSWORD).await.on_edge(1);
    (john, jane)
}

/// The same, both connected to their conversation.
async fn john_and_jane_in_a_chat(stack: &Stack) -> (Client, Client) {
    let (mut john, mut jane) = john_and_jane(stack).await;
    let conversation = john.starts_a_chat_with(&jane).await;
    john.joins(conversation).await;
    jane.joins(conversation).await;
    (john, jane)
}

story! {
    /// Both slashes work, and the access token has the promised claims.
    async fn logging_in(shape: Shape) {
        let stack = shape.start_with(&World::of_the_documentation()).await;
        for path in ["/api/auth/login/", "/api/auth/login"] {
            let credentials = json!({"username": "john_doe", "password": PASSWORD});
            let answer = Rest::new(stack.edge(0)).post(path, &credentials).await.expect_status(200);
            assert_eq!(answer["account"]["id"], 2);
            assert_eq!(answer["account"]["username"], "john_doe");
            let claims = claims(answer["access"].as_str().expect("an access token"));
            assert_eq!(claims["token_type"], "access");
            assert_eq!(claims["user_id"], "2");
            assert_eq!(claims["account_id"], 2);
            assert_eq!(claims["username"], "john_doe");
            assert!(claims["email"].is_string() && claims["profile_types"].is_array(), "{claims}");
            let lifetime = claims["exp"].as_u64().zip(claims["iat"].as_u64()).map(|(exp, iat)| exp - iat);
            assert_eq!(lifetime, Some(3600));
            assert_eq!(claims["jti"].as_str().map(str::len), Some(32));
            let refresh = answer["refresh"].as_str().expect("a refresh token");
            assert_eq!(self::claims(refresh)["token_type"], "refresh");
        }
    }
}

fn claims(token: &str) -> serde_json::Value {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let payload = token.split('.').nth(1).expect("a token has three parts");
    let json = URL_SAFE_NO_PAD.decode(payload).expect("a token's parts are base64url");
    serde_json::from_slice(&json).expect("a token's payload is JSON")
}

story! {
    async fn a_refresh_token_gives_access_and_a_verified_token_is_known(shape: Shape) {
        let stack = shape.start_with(&World::of_the_documentation()).await;
        let rest = Rest::new(stack.edge(0));
        let credentials = json!({"username": "john_doe", "password": PASSWORD});
        let login = rest.post("/api/auth/login/", &credentials).await.expect_status(200);
        for path in ["/api/auth/refresh-token", "/api/auth/refresh/"] {
            let refreshed = rest.post(path, &json!({"refresh": login["refresh"]})).await.expect_status(200);
            assert_eq!(refreshed["refresh"], login["refresh"]);
            let access = refreshed["access"].as_str().expect("an access token");
            rest.post("/api/auth/verify/", &json!({"token": access})).await.expect_status(200);
            let mut john = Client::with_token(stack.clone(), 2, "john_doe", access);
            let jane = stack.client("jane_smith");
            let conversation = john.starts_a_chat_with(&jane).await;
            john.joins(conversation).await;
        }
        rest.post("/api/auth/verify/", &json!({"token": "no.token.this"})).await.expect_status(401);
    }
}

story! {
    async fn starting_a_conversation_twice_gives_the_same_one(shape: Shape) {
        let stack = shape.start_with(&World::of_the_documentation()).await;
        let (john, jane) = john_and_jane(&stack).await;
        let created = john.post("/api/chat/conversations/start/", &json!({"user2": 3})).await.expect_status(201);
        assert_eq!(created["id"], 1);
        assert_eq!(created["participants"], json!([2, 3]));
        assert!(created["created_at"].is_string());
        assert_eq!(created.body.as_object().map(serde_json::Map::len), Some(3), "{}", created.text);
        let again = john.post("/api/chat/conversations/start/", &json!({"user2": 3})).await.expect_status(200);
        let other_way = jane.post("/api/chat/conversations/start/", &json!({"user2": 2})).await.expect_status(200);
        assert_eq!((&again.body, &other_way.body), (&created.body, &created.body));
    }
}

story! {
    async fn both_may_start_the_conversation_at_the_same_moment(shape: Shape) {
        let stack = shape.start_with(&World::of_the_documentation()).await;
        let (john, jane) = (stack.client("john_doe"), stack.client("jane_smith").on_edge(1));
        let (path, by_john, by_jane) = ("/api/chat/conversations/start/", json!({"user2": 3}), json!({"user2": 2}));
        let racing = (0..8).map(|number| match number % 2 {
            0 => john.post(path, &by_john),
            _ => jane.post(path, &by_jane),
        });
        let answers = futures_util::future::join_all(racing).await;
        let n_created = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(n_created, 1, "{answers:?}");
        assert!(answers.iter().all(|answer| answer["id"] == answers[0]["id"]), "{answers:?}");
    }
}

story! {
    /// Everybody gets the message live with its id and both sets of keys, the sender too.
    async fn a_message_reaches_everybody(shape: Shape) {
        let stack = shape.start_with(&World::of_the_documentation()).await;
        let (mut john, mut jane) = john_and_jane_in_a_chat(&stack).await;
        let mut tablet = john.elsewhere().on_edge(1);
        tablet.joins(john.conversation()).await;

        let said = john.says("Hello, world!").await;

        assert_eq!(said["sender"], "john_doe");
        assert_eq!(said["sender_id"], 2);
        assert_eq!(said["sender_name"], "john_doe");
        assert_eq!(said.seq(), said.message_id());
        tablet.hears(said.clone()).await;
        jane.hears(said).await;
    }
}

story! {
    /// The same `client_id` again is the same message: nobody hears it twice, and the sender learns its id again.
    async fn sending_again_is_safe(shape: Shape) {
        let stack = shape.start_with(&World::of_the_documentation()).await;
        let (mut john, mut jane) = john_and_jane_in_a_chat(&stack).await;
        let message = json!({"type": "message", "content": "once", "client_id": "my-1"});
        let mut ids = Vec::new();
        for _ in 0..2 {
            john.sends(message.clone()).await;
            let ack = john.hears_of("ack", |frame| frame["client_id"] == "my-1").await;
            ids.push(ack.message_id());
        }
        assert_eq!(ids[0], ids[1]);
        assert_eq!(jane.hears_next().await.message_id(), ids[0]);
        jane.hears(john.says("twice").await).await;
        assert_eq!(jane.history().await, ["once", "twice"]);
    }
}

story! {
    async fn the_slash_at_the_end_of_the_socket_path_is_optional(shape: Shape) {
        let stack = shape.start_with(&World::of_the_documentation()).await;
        let (mut john, mut jane) = john_and_jane(&stack).await;
        let conversation = john.starts_a_chat_with(&jane).await;
        john.joins(conversation).await;
        let path = format!("/ws/chat/{conversation}?token={}", jane.access);
        jane.joins_by(&path).await;
        jane.hears(john.says("with and without").await).await;
    }
}

story! {
    async fn a_read_receipt_reaches_everybody_and_is_kept(shape: Shape) {
        let stack = shape.start_with(&World::of_the_documentation()).await;
        let (mut john, mut jane) = john_and_jane_in_a_chat(&stack).await;
        let said = john.says("did you see?").await;
        jane.hears(said.clone()).await;

        let receipt = jane.reads(&said).await;

        assert_eq!(receipt["reader"], "jane_smith");
        assert_eq!(receipt["reader_id"], 3);
        assert_eq!(receipt["reader_name"], "jane_smith");
        john.hears(receipt).await;
        let stored = stored(&john, &said).await;
        assert_eq!(stored["is_read"], true);
        assert!(stored["read_at"].is_string());
    }
}

story! {
    /// Typing goes to the others only, not to one's own other devices, and leaves no trace.
    async fn typing_is_for_the_others_only(shape: Shape) {
        let stack = shape.start_with(&World::of_the_documentation()).await;
        let (mut john, mut jane) = john_and_jane_in_a_chat(&stack).await;
        let mut tablet = john.elsewhere().on_edge(1);
        tablet.joins(john.conversation()).await;

        john.types(true).await;
        jane.hears_typing(&john, true).await;
        john.types(false).await;
        jane.hears_typing(&john, false).await;

        // Both of John's hear this next, so neither heard of his typing.
        let said = jane.says("go on").await;
        tablet.hears(said.clone()).await;
        john.hears(said.clone()).await;
        assert_eq!(john.history().await, ["go on"]);
        // Positions are the log's: nothing stands between the two messages.
        assert_eq!(jane.says("well?").await.seq(), said.seq() + 1);
    }
}

story! {
    async fn only_the_sender_edits(shape: Shape) {
        let stack = shape.start_with(&World::of_the_documentation()).await;
        let (mut john, mut jane) = john_and_jane_in_a_chat(&stack).await;
        let said = john.says("helo").await;
        jane.hears(said.clone()).await;

        jane.sends(json!({"type": "edit", "message_id": said.message_id(), "content": "hacked"})).await;
        let told = jane.is_told().await;
        assert_eq!(told["message"], "You can only edit your own messages");
        assert_eq!(told["message_id"], said.message_id());
        assert!(told["code"].is_string());

        let edit = john.edits(&said, "  hello  ").await;
        assert_eq!(edit["content"], "hello");
        assert_eq!(edit["editor_id"], 2);
        jane.hears(edit).await;
        assert_eq!(stored(&jane, &said).await["content"], "hello");
    }
}

story! {
    async fn only_the_sender_deletes_and_the_content_is_gone(shape: Shape) {
        let stack = shape.start_with(&World::of_the_documentation()).await;
        let (mut john, mut jane) = john_and_jane_in_a_chat(&stack).await;
        let said = john.says("a secret").await;
        jane.hears(said.clone()).await;

        jane.sends(json!({"type": "delete", "message_id": said.message_id()})).await;
        assert_eq!(jane.is_told().await["message"], "You can only delete your own messages");

        let delete = john.deletes(&said).await;
        assert_eq!(delete["deleter_id"], 2);
        jane.hears(delete).await;
        let stored = stored(&jane, &said).await;
        assert_eq!((&stored["content"], &stored["is_deleted"]), (&json!(""), &json!(true)));
        assert_eq!(jane.history().await, Vec::<String>::new());

        john.sends(json!({"type": "edit", "message_id": said.message_id(), "content": "back"})).await;
        assert_eq!(john.is_told().await["message"], "Cannot edit a deleted message");
        john.sends(json!({"type": "delete", "message_id": said.message_id()})).await;
        assert_eq!(john.is_told().await["message"], "Message is already deleted");
    }
}

/// The message as REST shows it.
async fn stored(client: &Client, message: &Frame) -> natter_tests::rest::Answer {
    client.get(&format!("/api/chat/messages/{}/", message.message_id())).await.expect_status(200)
}

story! {
    /// Messages of other conversations cannot be read, changed or deleted from here, not even by their sender.
    async fn the_holes_of_the_reference_are_closed(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, bob) = stack.two_in_a_chat().await;
        let eve = stack.client("eve");
        let mut elsewhere = ana.elsewhere();
        let other = ana.starts_a_chat_with(&eve).await;
        elsewhere.joins(other).await;
        let said = ana.says("for bob only").await;
        let id = said.message_id();

        let mut eve = eve;
        eve.joins(other).await;
        for client in [&mut eve, &mut elsewhere] {
            for frame in [
                json!({"type": "read", "message_id": id}),
                json!({"type": "edit", "message_id": id, "content": "changed"}),
                json!({"type": "delete", "message_id": id}),
            ] {
                client.sends(frame).await;
                assert_eq!(client.is_told().await["message"], format!("Message {id} not found"));
            }
        }
        for answer in [
            eve.get(&format!("/api/chat/messages/{id}/")).await,
            eve.post(&format!("/api/chat/messages/{id}/mark_read/"), &json!({})).await,
            eve.patch(&format!("/api/chat/messages/{id}/edit/"), &json!({"content": "changed"})).await,
            eve.delete(&format!("/api/chat/messages/{id}/soft_delete/")).await,
        ] {
            assert_eq!((answer.status, &answer["detail"]), (404, &json!("No Message matches the given query.")));
        }
        assert_eq!(bob.history().await, ["for bob only"]);
        let stored = stored(&bob, &said).await;
        assert_eq!((&stored["is_read"], &stored["edited_at"]), (&json!(false), &json!(null)));
    }
}
