//! Python's rules for text and numbers (`text.json`), as far as a client can see them.

use natter_tests::fixture::{Line, Person, Room, World};
use natter_tests::socket::{Heard, Socket};
use natter_tests::stack::{Shape, Stack};
use natter_tests::story;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Vectors {
    strip: Vec<Strip>,
    int: Vec<Int>,
    query: Vec<Query>,
}

#[derive(Deserialize)]
struct Strip {
    r#in: String,
    out: String,
}

#[derive(Deserialize)]
struct Int {
    r#in: Value,
    /// What int() makes of it; without this, it is refused.
    int: Option<String>,
    /// It is falsy, which counts as absent.
    #[serde(default)]
    required: bool,
}

#[derive(Deserialize)]
struct Query {
    query: String,
    token: Option<String>,
}

impl Vectors {
    fn load() -> Self {
        serde_json::from_str(include_str!("../vectors/text.json")).expect("text.json as described")
    }
}

/// Two people in a conversation with messages 1 to 9 of the first.
fn world() -> World {
    let message =
        |id| -> Line { serde_json::from_value(json!({"id": id, "conversation": 1, "sender": 1})).expect("a line") };
    World {
        accounts: vec![Person::new(1, "ana"), Person::new(2, "bob")],
        conversations: vec![Room { id: 1, participants: vec![1, 2], created_at: None }],
        messages: (1..=9).map(message).collect(),
    }
}

story! {
    /// What is said is relayed as typed and stored stripped; what strip() leaves nothing of is refused.
    async fn content_is_stripped_as_python_does(shape: Shape) {
        let stack = shape.start_with(&world()).await;
        let mut ana = stack.client("ana");
        ana.joins(1).await;
        for case in Vectors::load().strip {
            if case.r#in.contains('\0') {
                ana.sends(json!({"type": "message", "content": case.r#in})).await;
                let told = ana.is_told().await;
                assert_eq!(told["message"], "Failed to send message. Please try again.", "U+0000 cannot be stored");
            } else if case.out.is_empty() {
                ana.sends(json!({"type": "message", "content": case.r#in})).await;
                let told = ana.is_told().await;
                let expected = match case.r#in.as_str() {
                    "" => "Message content is required",
                    _ => "Message content cannot be empty or whitespace only",
                };
                assert_eq!(told["message"], expected, "{:?}", case.r#in);
            } else {
                let said = ana.says(&case.r#in).await;
                let stored = ana.get(&format!("/api/chat/messages/{}/", said.message_id())).await.expect_status(200);
                assert_eq!(stored["content"], *case.out, "{:?}", case.r#in);
            }
        }
    }
}

story! {
    /// `message_id` is read by int(): the receipt, or the error, names the number that int() makes of it.
    async fn message_ids_are_read_as_python_does(shape: Shape) {
        let stack = shape.start_with(&world()).await;
        let mut bob = stack.client("bob");
        bob.joins(1).await;
        for case in Vectors::load().int {
            bob.sends(json!({"type": "read", "message_id": case.r#in})).await;
            let heard = bob.hears_next().await;
            let expected = match case.int {
                // A message that there is.
                Some(number) if heard.kind() == "read_receipt" => number,
                Some(number) => format!("Message {number} not found"),
                None if case.required => "message_id is required for read receipts".to_owned(),
                None => "message_id must be a valid integer".to_owned(),
            };
            let answer = match heard.kind() {
                "read_receipt" => heard["message_id"].to_string(),
                _ => heard.text("message").to_owned(),
            };
            assert_eq!(answer, expected, "for {:.80}", case.r#in.to_string());
        }
    }
}

story! {
    /// `user2` is read by int() too.
    async fn user_ids_are_read_as_python_does(shape: Shape) {
        let stack = shape.start_with(&world()).await;
        let ana = stack.client("ana");
        for case in Vectors::load().int {
            let answer = ana.post("/api/chat/conversations/start/", &json!({"user2": case.r#in})).await;
            let (status, error) = match case.int.as_deref() {
                Some("1") => (400, "Cannot start a conversation with yourself".to_owned()),
                Some("2") => (200, String::new()),
                Some(number) => (404, format!("User with ID {number} does not exist")),
                None if case.required => (400, "user2 field is required".to_owned()),
                None => (400, "user2 must be a valid user ID".to_owned()),
            };
            let input = format!("for {:.80}", case.r#in.to_string());
            assert_eq!((answer.status, answer["error"].as_str().unwrap_or_default()), (status, error.as_str()), "{input}");
        }
    }
}

story! {
    /// The token is the first value of `token` that is not empty, decoded as a form.
    async fn the_token_is_found_as_python_does(shape: Shape) {
        let stack = shape.start_with(&world()).await;
        let ana = stack.client("ana");
        for case in Vectors::load().query {
            // The recorded values are no tokens; a real one takes the place of two of them.
            let encoded = ana.access.replace('.', "%2E");
            let query = case.query.replace("abc", &ana.access).replace("a%2Eb%2Ec", &encoded);
            let is_real = matches!(case.token.as_deref(), Some("abc" | "a.b.c"));
            assert_eq!(is_let_in(&stack, &format!("/ws/chat/1/?{query}")).await, is_real, "{}", case.query);
        }
    }
}

async fn is_let_in(stack: &Stack, path: &str) -> bool {
    let mut socket = Socket::open(&format!("ws://{}{path}", stack.edge(0))).await;
    socket.send("not json".into()).await.ok();
    match socket.hear().await {
        Heard::Frame(_) => true,
        Heard::Goodbye(goodbye) => {
            assert_eq!(goodbye.code, 4001, "{goodbye:?}");
            false
        }
        Heard::Silence => panic!("the line went dead"),
    }
}
