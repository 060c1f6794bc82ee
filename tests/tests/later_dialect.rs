//! What the public front end does, call by call, against the dialect of the later commits.

use natter_tests::fixture::{PASSWORD, Person, World};
use natter_tests::rest::{Answer, Rest};
use natter_tests::stack::{Shape, Stack};
use natter_tests::story;
use reqwest::Method;
use serde_json::{Value, json};

const LIST: &str = "/api/chat/conversations/";

/// Two with a role, and enough others to fill a page.
fn world() -> World {
    let role = |id, username: &str, role: &str| Person {
        email: format!("{username}@example.com"),
        profile_types: vec![role.to_owned()],
        ..Person::new(id, username)
    };
    let mut accounts = vec![role(1, "ana", "trainer"), role(2, "bob", "trainee")];
    accounts.extend((3..=14).map(|id| Person::new(id, &format!("other{id}"))));
    World { accounts, ..World::default() }
}

async fn start(shape: Shape) -> Stack {
    let settings = [("natter", "NATTER_DIALECT", "later"), ("edge", "EDGE_DIALECT", "later")];
    shape.start_with_set(&world(), &settings).await
}

/// Somebody at the front end, which logs in without a slash at the end of the path.
struct Visitor {
    http: Rest,
    account: Value,
    refresh: String,
}

impl Visitor {
    async fn logs_in(stack: &Stack, username: &str) -> Self {
        let anonymous = Rest::new(stack.edge(0));
        let credentials = json!({"username": username, "password": PASSWORD});
        let login = anonymous.post("/api/auth/login", &credentials).await.expect_status(200);
        let token = |name: &str| login[name].as_str().expect("a token").to_owned();
        assert_eq!(login["multiple_logins"], false);
        Self {
            http: anonymous.with_token(&token("access")),
            account: login["account"].clone(),
            refresh: token("refresh"),
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.http.request(Method::GET, path, None).await
    }

    async fn starts_a_chat_with(&self, other: u64) -> u64 {
        let answer = self.http.post("/api/chat/conversations/start/", &json!({"user2": other})).await;
        answer["id"].as_u64().expect("the conversation's id")
    }

    async fn sends(&self, conversation: u64, content: &str) -> u64 {
        let path = format!("{LIST}{conversation}/send_message/");
        let sent = self.http.post(&path, &json!({"content": content})).await.expect_status(201);
        sent["id"].as_u64().expect("the message's id")
    }
}

/// What a token tells, unverified, as a browser reads it.
fn claims(token: &str) -> Value {
    use base64::Engine as _;
    let payload = token.split('.').nth(1).expect("a payload");
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}

story! {
    async fn a_visit_from_login_to_logout(shape: Shape) {
        let stack = start(shape).await;
        let ana = Visitor::logs_in(&stack, "ana").await;
        let profile = json!({"type": "trainer", "id": 1});
        assert_eq!(ana.account, json!({
            "id": 1, "username": "ana", "email": "ana@example.com", "profile_types": ["trainer"],
            "current_profile": 1, "profiles": [profile], "account_type": "trainer",
        }));
        assert_eq!(ana.get(LIST).await.expect_status(200).body, json!({
            "count": 0, "next": null, "previous": null, "results": [],
        }));
        let refused = ana.http.post("/api/chat/conversations/start/", &json!({})).await.expect_status(400);
        assert_eq!(refused.body, json!({"error": "user2 is required"}));

        let here = ana.starts_a_chat_with(2).await;
        assert_eq!(ana.get(LIST).await["results"], json!([]), "nothing was said yet");
        let first = ana.sends(here, "first").await;

        let bob = Visitor::logs_in(&stack, "bob").await;
        let list = bob.get(LIST).await.expect_status(200);
        let shown = list["results"][0].clone();
        let last = shown["last_message"].clone();
        assert_eq!(shown, json!({
            "id": here, "other_participant_id": 1, "other_participant_name": "ana",
            "other_participant_profile_picture": null, "other_participant_role": "trainer",
            "last_message": last, "last_message_timestamp": last["timestamp"], "unread_count": 1,
        }));
        assert_eq!((&last["id"], &last["content"], &last["sender"]), (&json!(first), &json!("first"), &json!(1)));
        assert_eq!(bob.get(&format!("{LIST}{here}/")).await.expect_status(200).body, shown);

        let unread = format!("/api/chat/messages/{first}/get_unread_messages_count/");
        assert_eq!(bob.get(&unread).await.expect_status(200).body, json!({"unread_count": 1}));
        assert_eq!(ana.get(&unread).await.expect_status(200).body, json!({"unread_count": 0}));

        // The room: history over REST, then the socket.
        let history = format!("{LIST}{here}/messages/?page=1");
        let page = bob.get(&history).await.expect_status(200);
        assert_eq!((&page["results"]["owner"], &page["results"]["data"][0]["id"]), (&json!(2), &json!(first)));
        let (mut ana_there, mut bob_there) = (stack.client("ana"), stack.client("bob").on_edge(1));
        ana_there.joins(here).await;
        bob_there.joins(here).await;
        bob_there.sends(json!({"type": "read", "message_id": first})).await;
        let read = ana_there.hears_next().await;
        assert_eq!((read.kind(), read.message_id()), ("read_receipt", first));
        bob_there.hears(read).await;
        assert_eq!(bob.get(&unread).await.body, json!({"unread_count": 0}));

        bob_there.types(true).await;
        ana_there.hears_typing(&bob_there, true).await;
        bob_there.sends(json!({"content": " second "})).await;
        let second = ana_there.hears_next().await;
        assert_eq!((&second["sender_id"], &second["sender_name"]), (&json!(2), &json!("bob")));
        assert_eq!(second.text("content"), " second ", "matched to the optimistic copy");
        bob_there.hears(second.clone()).await;
        bob_there.edits(&second, "changed").await;
        bob_there.deletes(&second).await;

        let page = ana.get(&history).await.expect_status(200);
        let data = page["results"]["data"].as_array().expect("a list").clone();
        let told: Vec<_> = data.iter().map(|message| (&message["id"], &message["is_deleted"], &message["content"])).collect();
        assert_eq!(told, [
            (&json!(second.message_id()), &json!(true), &json!("")),
            (&json!(first), &json!(false), &json!("first")),
        ]);

        ana.http.request(Method::DELETE, &format!("{LIST}{here}/"), None).await.expect_status(204);
        assert_eq!(bob.get(LIST).await["count"], 0);
        let out = ana.http.build(Method::POST, "/api/auth/logout").header("refresh", &ana.refresh);
        Answer::of(out).await.expect_status(205);
        ana.get(LIST).await.expect_status(401);
        bob.http.post("/api/auth/logout-all", &json!({})).await.expect_status(205);
        bob.get(LIST).await.expect_status(401);
    }
}

story! {
    async fn tokens_are_renewed_when_they_have_ended(shape: Shape) {
        let stack = start(shape).await;
        let ana = Visitor::logs_in(&stack, "ana").await;
        let ended = Rest::new(stack.edge(0)).with_token("ended");
        ended.request(Method::GET, LIST, None).await.expect_status(401);
        let body = json!({"refresh": ana.refresh});
        let fresh = ended.post("/api/auth/refresh-token", &body).await.expect_status(200);
        let access = fresh["access"].as_str().expect("an access token");
        Rest::new(stack.edge(0)).with_token(access).request(Method::GET, LIST, None).await.expect_status(200);

        let renewed = ended.post("/api/auth/renew-refresh", &body).await.expect_status(200);
        let token = |name: &str| renewed[name].as_str().expect("a token").to_owned();
        for (token, kind) in [(access.to_owned(), "access"), (token("access"), "access"), (token("refresh"), "refresh")] {
            let told = claims(&token);
            assert_eq!((&told["token_type"], &told["user_id"]), (&json!(kind), &json!("1")));
            assert_eq!((&told["account_id"], &told["current_profile"]), (&json!(1), &json!(1)));
            for absent in ["username", "email", "profile_types"] {
                assert_eq!(told.get(absent), None);
            }
        }
        let again = json!({"refresh": token("refresh")});
        ended.post("/api/auth/renew-refresh", &again).await.expect_status(200);
        let out = ana.http.build(Method::POST, "/api/auth/logout").header("refresh", token("refresh"));
        Answer::of(out).await.expect_status(205);
        let refused = ended.post("/api/auth/renew-refresh", &again).await.expect_status(400);
        assert_eq!(refused.body, json!({"detail": ["Invalid or blacklisted token"]}));
        for nonsense in [json!({"refresh": "nonsense"}), json!({"refresh": access})] {
            ended.post("/api/auth/renew-refresh", &nonsense).await.expect_status(400);
        }
    }
}

story! {
    /// Everybody has one profile: their own, which they are.
    async fn a_profile_can_only_be_ones_own(shape: Shape) {
        let stack = start(shape).await;
        let ana = Visitor::logs_in(&stack, "ana").await;
        let path = "/api/auth/switch-profile";
        let same = ana.http.post(path, &json!({"profile_id": 1})).await.expect_status(200);
        let access = same["access"].as_str().expect("an access token");
        Rest::new(stack.edge(0)).with_token(access).request(Method::GET, LIST, None).await.expect_status(200);
        assert_eq!((&same["account"], same.body.get("refresh")), (&ana.account, None));
        let with_refresh = json!({"profile_id": "1", "refresh": ana.refresh});
        assert_eq!(ana.http.post(path, &with_refresh).await["refresh"], ana.refresh);
        ana.http.post(path, &json!({"profile_id": 2})).await.expect_status(404);
        ana.http.post(path, &json!({})).await.expect_status(400);
        Rest::new(stack.edge(0)).post(path, &json!({"profile_id": 1})).await.expect_status(401);
    }
}

story! {
    /// A socket is opened with an access token only: the edges do not know which refresh tokens are revoked.
    async fn a_refresh_token_opens_no_socket(shape: Shape) {
        let stack = start(shape).await;
        let ana = Visitor::logs_in(&stack, "ana").await;
        let here = ana.starts_a_chat_with(2).await;
        let goodbye = stack.client("ana").is_refused(&format!("/ws/chat/{here}/?token={}", ana.refresh)).await;
        assert_eq!(goodbye.code, 4001);
    }
}

story! {
    async fn the_list_comes_in_pages_of_ten_with_the_latest_first(shape: Shape) {
        let stack = start(shape).await;
        let ana = Visitor::logs_in(&stack, "ana").await;
        let mut rooms = Vec::new();
        for other in 3..=14 {
            rooms.push(ana.starts_a_chat_with(other).await);
        }
        for room in &rooms {
            ana.sends(*room, "hello").await;
        }
        ana.sends(rooms[0], "again").await;
        rooms.rotate_left(1);
        rooms.reverse();

        let mut path = LIST.to_owned();
        let (mut found, mut sizes) = (Vec::new(), Vec::new());
        loop {
            let page = ana.get(&path).await.expect_status(200);
            assert_eq!(page["count"], rooms.len());
            let results = page["results"].as_array().expect("a list");
            sizes.push(results.len());
            found.extend(results.iter().filter_map(|room| room["id"].as_u64()));
            let Some(next) = page["next"].as_str() else { break };
            path = next.strip_prefix(&format!("http://{}", stack.edge(0))).expect("an absolute link").to_owned();
        }
        assert_eq!((found, sizes), (rooms.clone(), vec![10, 2]));
        assert_eq!(ana.get(&format!("{LIST}?page=last")).await["results"].as_array().map(Vec::len), Some(2));
        ana.get(&format!("{LIST}?page=3")).await.expect_status(404);
        let searched = ana.get(&format!("{LIST}?search=OTHER14&page_size=5")).await.expect_status(200);
        assert_eq!(searched["results"][0]["other_participant_id"], 14);
        assert_eq!(searched["count"], 1);
    }
}

story! {
    /// Without being told, Natter speaks as the seed does.
    async fn none_of_this_is_there_in_the_dialect_of_the_seed(shape: Shape) {
        let stack = shape.start_with(&world()).await;
        let rest = Rest::new(stack.edge(0)).with_token(&stack.client("ana").access);
        for path in ["/api/auth/switch-profile", "/api/auth/renew-refresh", "/api/chat/messages/1/get_unread_messages_count/"] {
            rest.post(path, &json!({})).await.expect_status(404);
        }
        assert_eq!(rest.request(Method::GET, LIST, None).await.expect_status(200).body, json!([]));
        let credentials = json!({"username": "ana", "password": PASSWORD});
        let login = rest.post("/api/auth/login/", &credentials).await.expect_status(200);
        let names: Vec<_> = login.body.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(names, ["access", "account", "refresh"]);
        assert_eq!(claims(login["access"].as_str().expect("a token"))["username"], "ana");
    }
}
