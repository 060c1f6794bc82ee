//! What the programs log: JSON that machines can read, ids that tie lines together, and nothing that is nobody's business.

use natter_tests::fixture::PASSWORD;
use natter_tests::rest::{Answer, Rest};
use natter_tests::stack::{Shape, Stack};
use natter_tests::wait::{until, within_patience};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

const ALL: [&str; 5] = ["edge-1", "edge-2", "authz", "persistence-1", "persistence-2"];

/// Every program logs all that it ever would.
const TRACE: (&str, &str, &str) = ("", "RUST_LOG", "trace");
const JSON: (&str, &str, &str) = ("", "LOG_FORMAT", "json");

fn names(stack: &Stack) -> &'static [&'static str] {
    if stack.shape() == Shape::Local { &["natter"] } else { &ALL }
}

async fn log(stack: &Stack, name: &str) -> String {
    stack.deployment().await.service(name).running().log()
}

/// The lines of a program's log.
fn lines(log: &str) -> Vec<Value> {
    // One may be half written.
    let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
    // One process greets whoever has started it, on standard output.
    let is_greeted = whole.contains("Natter listens on ");
    let logged = whole.lines().filter(|line| !is_greeted || line.starts_with('{'));
    logged.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// Waits for a line of a program's log.
async fn line(stack: &Stack, name: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    let what = format!("{name} logs it");
    until(&what, async || lines(&log(stack, name).await).into_iter().find(&is_it)).await
}

/// The parts of a token that would be of use to somebody.
fn parts(token: &str) -> impl Iterator<Item = String> {
    token.split('.').skip(1).map(str::to_owned)
}

/// All that a client can do, with secrets wherever they can be. What must be nowhere.
async fn a_day(stack: &Stack) -> Vec<String> {
    let secret = |number: u32| format!("hush{number}hush");
    let mut secrets: Vec<String> = (1..=14).map(secret).chain([PASSWORD.to_owned()]).collect();
    let rest = Rest::new(stack.edge(0));
    let log_in = async |name: &str, password: &str| {
        rest.post("/api/auth/login/", &json!({"username": name, "password": password})).await
    };
    log_in("ana", &secret(1)).await.expect_status(401);
    log_in(&secret(2), PASSWORD).await.expect_status(401);
    let email = json!({"email": format!("{}@example.org", secret(3)), "password": secret(1)});
    rest.post("/api/auth/login/", &email).await.expect_status(401);
    let tokens = log_in("ana", PASSWORD).await.expect_status(200);
    let token = |name: &str| tokens[name].as_str().expect("a token").to_owned();
    let (access, refresh) = (token("access"), token("refresh"));
    secrets.extend(parts(&access).chain(parts(&refresh)));

    let (mut ana, mut bob) = stack.two_in_a_chat().await;
    secrets.extend(parts(&ana.access).chain(parts(&bob.access)));
    let said = ana.says(&secret(4)).await;
    bob.hears(said.clone()).await;
    let edited = ana.edits(&said, &secret(5)).await;
    bob.hears(edited).await;
    ana.types(true).await;
    bob.hears_typing(&ana, true).await;
    ana.sends(json!({"type": "auth", "token": access})).await;
    assert_eq!(ana.hears_next().await.kind(), "authenticated");
    ana.sends(json!({"type": "auth", "token": secret(6)})).await;
    ana.is_told().await;
    ana.sends_text(&secret(7)).await;
    ana.is_told().await;
    bob.reads(&said).await;
    let deleted = ana.deletes(&said).await;
    bob.hears(deleted).await;
    let path = format!("/ws/chat/{}/", ana.conversation());
    ana.elsewhere().is_refused(&format!("{path}?token={}", secret(8))).await;
    assert_eq!(
        ana.elsewhere().joins_with_subprotocols(&["natter.token", &access]).await.as_deref(),
        Some("natter.token")
    );
    let seen = bob.hears(ana.says(&secret(9)).await).await;
    bob.drops_the_line();
    let missed = ana.says(&secret(10)).await;
    bob.reconnects_after(seen).await;
    bob.catches_up_on([missed], seen).await;

    let with_token = Rest::new(stack.edge(1)).with_token(&access);
    let messages = format!("/api/chat/conversations/{}/messages/", ana.conversation());
    with_token.request(Method::GET, &messages, None).await.expect_status(200);
    Rest::new(stack.edge(0)).with_token(&secret(11)).request(Method::GET, &messages, None).await.expect_status(401);
    let file = Part::bytes(secret(12).into_bytes()).file_name(format!("{}.txt", secret(13)));
    let form = Form::new().text("content", secret(14)).part("attachment", file);
    let send = format!("/api/chat/conversations/{}/send_message/", ana.conversation());
    Answer::of(with_token.build(Method::POST, &send).multipart(form)).await.expect_status(201);
    rest.post("/api/auth/verify/", &json!({"token": access})).await.expect_status(200);
    rest.post("/api/auth/refresh/", &json!({"refresh": refresh})).await.expect_status(200);
    let logging_out = with_token.build(Method::POST, "/api/auth/logout/").header("refresh", &refresh);
    Answer::of(logging_out).await.expect_status(205);
    assert_eq!(ana.is_sent_away().await.code, 4001, "her token is revoked");
    secrets
}

/// With everything logged, and with what happens while the log and the store are away.
async fn nothing_is_told_that_is_nobodys_business(shape: Shape) {
    let stack = shape.start_set(&[TRACE, JSON]).await;
    let mut secrets = a_day(&stack).await;
    if shape == Shape::Real {
        let (mut ana, _bob) = stack.two_in_a_chat().await;
        let mut deployment = stack.deployment().await;
        deployment.servers().postgres.kill().await;
        let secret = "hush-away-hush";
        ana.says(secret).await;
        deployment.servers().nats.kill();
        ana.sends(json!({"type": "message", "content": secret})).await;
        ana.is_told().await;
        secrets.push(secret.to_owned());
    }
    for name in names(&stack) {
        let mut deployment = stack.deployment().await;
        let process = deployment.service(name).running();
        process.terminate();
        process.ends().await;
        let log = process.log();
        for secret in &secrets {
            let told: Vec<&str> = log.lines().filter(|line| line.contains(secret.as_str())).collect();
            assert!(told.is_empty(), "{name} tells {secret}: {told:#?}");
        }
        let lines = lines(&log);
        for line in &lines {
            for key in ["timestamp", "level", "target", "message"] {
                assert!(line[key].is_string(), "{name}: no {key} in {line}");
            }
            let is_ours = line["target"].as_str().is_some_and(|target| target.starts_with("natter"));
            assert!(is_ours || line["level"] != "TRACE" && line["level"] != "DEBUG", "{name}: {line}");
        }
        let has = |message: &str| lines.iter().any(|line| line["message"] == message);
        assert!(has("starting") && has("draining") && has("all work in hand is finished"), "{name}: {log}");
    }
}

#[tokio::test]
async fn nothing_is_told_that_is_nobodys_business_by_one_process() {
    nothing_is_told_that_is_nobodys_business(Shape::Local).await;
}

#[tokio::test]
async fn nothing_is_told_that_is_nobodys_business_by_services() {
    nothing_is_told_that_is_nobodys_business(Shape::Real).await;
}

#[tokio::test]
async fn a_request_can_be_found_in_the_logs_of_all_who_worked_for_it() {
    // Traces are made; that nobody takes them makes no difference to the log.
    let traces = ("", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
    let stack = Shape::Real.start_set(&[TRACE, JSON, traces]).await;
    let rest = Rest::new(stack.edge(0));
    let is_of = |id: &str, message: &str| {
        let (id, message) = (id.to_owned(), message.to_owned());
        move |line: &Value| line["request_id"] == *id && line["message"] == *message
    };

    let credentials = json!({"username": "ana", "password": "wrong"});
    let log_in = |id: &str| rest.build(Method::POST, "/api/auth/login/").json(&credentials).header("X-Request-Id", id);
    let id = "given-by-a.proxy:1";
    let answer = Answer::of(log_in(id)).await.expect_status(401);
    assert_eq!(answer.header("x-request-id"), id);
    let told = line(&stack, "edge-1", is_of(id, "answered")).await;
    assert_eq!(
        (&told["method"], &told["path"], &told["code"]),
        (&json!("POST"), &json!("/api/auth/login/"), &json!(401))
    );
    let trace = told["trace_id"].clone();
    assert!(trace.as_str().is_some_and(|trace| trace.len() == 32), "{told}");
    let told = line(&stack, "authz", is_of(id, "login refused")).await;
    assert_eq!(told["trace_id"], trace, "{told}");
    assert_eq!((&told["reason"], &told["level"]), (&json!("wrong password"), &json!("INFO")), "{told}");

    let own = Answer::of(log_in("no {\"good\": id}")).await.header("x-request-id").to_owned();
    assert!(own.len() == 32 && own.bytes().all(|digit| digit.is_ascii_hexdigit()), "{own}");
    line(&stack, "authz", is_of(&own, "login refused")).await;

    let (ana, _bob) = stack.two_in_a_chat().await;
    let url = format!("ws://{}/ws/chat/{}/?token={}", stack.edge(0), ana.conversation(), ana.access);
    let mut request = url.into_client_request().expect("a URL");
    request.headers_mut().insert("X-Request-Id", "a-socket".parse().expect("a header"));
    let (socket, answer) = within_patience("a handshake", connect_async(request)).await.expect("a handshake");
    assert_eq!(answer.headers()["x-request-id"], "a-socket");
    let opened = line(&stack, "edge-1", is_of("a-socket", "connection opened")).await;
    drop(socket);
    let ended = line(&stack, "edge-1", is_of("a-socket", "connection ended")).await;
    for key in ["conversation", "account"] {
        assert_eq!(ended[key], opened[key], "the same names everywhere: {ended}");
    }
}
