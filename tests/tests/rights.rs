//! Rights that end: tokens that expire or are revoked, participants who are removed. On every edge, at once, and for good.

use std::io::Write as _;
use std::process::Stdio;
use std::time::Instant;

use natter_tests::client::Client;
use natter_tests::fixture::PASSWORD;
use natter_tests::frame::Goodbye;
use natter_tests::rest::Rest;
use natter_tests::stack::{Shape, Stack};
use natter_tests::story;
use natter_tests::wait::until;
use reqwest::Method;
use serde_json::{Value, json};

/// Somebody who has just logged in, with both tokens.
struct LoggedIn {
    client: Client,
    refresh: String,
}

async fn log_in(stack: &Stack, username: &str) -> LoggedIn {
    let credentials = json!({"username": username, "password": PASSWORD});
    let answer = Rest::new(stack.edge(0)).post("/api/auth/login/", &credentials).await.expect_status(200);
    let text = |key: &str| answer[key].as_str().expect("a token").to_owned();
    let id = answer["account"]["id"].as_u64().expect("an id");
    LoggedIn { client: Client::with_token(stack.clone(), id, username, &text("access")), refresh: text("refresh") }
}

/// Ana twice, on different edges where there are two, and Bob, all in one conversation.
async fn ana_twice_and_bob(stack: &Stack) -> (LoggedIn, Client, Client) {
    let mut ana = log_in(stack, "ana").await;
    let mut bob = stack.client("bob").on_edge(1);
    let conversation = ana.client.starts_a_chat_with(&bob).await;
    let mut tablet = ana.client.elsewhere().on_edge(1);
    ana.client.joins(conversation).await;
    tablet.joins(conversation).await;
    bob.joins(conversation).await;
    (ana, tablet, bob)
}

/// The client is sent away because of its token; prints how long that took.
async fn is_closed(client: &mut Client, since: Instant, what: &str) {
    let goodbye = client.is_sent_away().await;
    println!("{}: closed {:?} after {what}", client.username, since.elapsed());
    assert_eq!(goodbye.code, 4001, "{goodbye:?}");
}

/// No edge lets the token in, neither to a socket nor to REST.
async fn is_kept_out(stack: &Stack, client: &Client) {
    for edge in 0..2 {
        let there = client.elsewhere().on_edge(edge);
        // An edge may hear of it a moment later than the others, and then closes the socket.
        let goodbye = there.is_refused_here().await;
        assert_eq!(goodbye.code, 4001, "edge {edge}: {goodbye:?}");
        let refused = Rest::new(stack.edge(edge)).with_token(&client.access);
        let refused = refused.request(Method::GET, "/api/chat/conversations/", None).await;
        assert_eq!((refused.status, &refused["code"]), (401, &json!("token_not_valid")), "{}", refused.text);
    }
}

/// Runs an admin command with this on its standard input; returns what it printed.
async fn admin(stack: &Stack, arguments: &[&str], input: &str) -> String {
    let mut command = stack.deployment().await.natter(arguments.iter().copied()).command();
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("the command reads");
    let output =
        tokio::task::spawn_blocking(move || child.wait_with_output().expect("it ends")).await.expect("no panic");
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{printed}");
    printed
}

fn claim(token: &str, name: &str) -> Value {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let payload = token.split('.').nth(1).expect("a token has three parts");
    let json = URL_SAFE_NO_PAD.decode(payload).expect("a token's parts are base64url");
    serde_json::from_slice::<Value>(&json).expect("a token's payload is JSON")[name].clone()
}

story! {
    /// The socket of a token that expires is closed then; one that was renewed goes on.
    async fn a_token_that_expires_closes_its_socket_unless_it_was_renewed(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, mut bob) = stack.two_in_a_chat().await;
        let mut short = ana.elsewhere().on_edge(1);
        short.access = stack.access_token_lasting("ana", 3);
        short.joins(ana.conversation()).await;
        let mut renewed = short.elsewhere();
        renewed.joins(ana.conversation()).await;

        renewed.sends(json!({"type": "auth", "token": ana.access})).await;
        let told = renewed.hears_next().await;
        assert_eq!(told.kind(), "authenticated", "{told}");
        assert!(told.text("expires_at").ends_with("+00:00"), "{told}");

        let goodbye = short.is_sent_away().await;
        assert_eq!(goodbye, Goodbye { code: 4001, reason: "Token is expired".to_owned() });
        let said = bob.says("ana is still here").await;
        renewed.hears(said.clone()).await;
        ana.hears(said).await;
        assert_eq!(short.is_refused_here().await.reason, "Token is expired");
    }
}

story! {
    /// What does not renew leaves everything as it was, and says why.
    async fn only_a_good_token_of_the_same_account_renews(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, mut bob) = stack.two_in_a_chat().await;
        let LoggedIn { refresh, .. } = log_in(&stack, "ana").await;
        for (token, code) in [
            (json!(null), "token_required"),
            (json!(7), "token_required"),
            (json!("nonsense"), "token_not_valid"),
            (json!(refresh), "token_not_valid"),
            (json!(bob.access), "other_account"),
        ] {
            ana.sends(json!({"type": "auth", "token": token})).await;
            assert_eq!(ana.is_told().await["code"], code);
        }
        bob.hears(ana.says("still here").await).await;
    }
}

story! {
    /// Browsers cannot send `Authorization`, and URLs are written into logs.
    async fn a_token_may_come_as_a_subprotocol(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, mut bob) = stack.two_in_a_chat().await;
        let mut tablet = ana.elsewhere();
        let selected = tablet.joins_with_subprotocols(&["natter.token", &ana.access]).await;
        assert_eq!(selected.as_deref(), Some("natter.token"));
        tablet.hears(bob.says("hello").await).await;
        ana.hears_next().await;
    }
}

story! {
    /// By its id or the token itself: its sockets are closed on every edge, and nobody else's.
    async fn a_revoked_token_opens_nothing_any_more(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, mut tablet, mut bob) = ana_twice_and_bob(&stack).await;
        let mut other = log_in(&stack, "ana").await.client;
        other.joins(ana.client.conversation()).await;

        let jti = claim(&ana.client.access, "jti");
        let printed = admin(&stack, &["token", "revoke", "--jti", jti.as_str().expect("a text")], "").await;
        let since = Instant::now();
        assert!(printed.contains("is revoked"), "{printed}");
        is_closed(&mut ana.client, since, "the revocation").await;
        is_closed(&mut tablet, since, "the revocation").await;
        is_kept_out(&stack, &ana.client).await;
        other.hears(bob.says("the other device goes on").await).await;

        let printed = admin(&stack, &["token", "revoke"], &other.access).await;
        assert!(!printed.contains(&other.access), "{printed}");
        is_closed(&mut other, Instant::now(), "the revocation").await;
        let printed = admin(&stack, &["token", "revoke"], &other.access).await;
        assert!(printed.contains("before"), "{printed}");

        stack.crashes().await;
        stack.comes_back().await;
        for client in [&ana.client, &other] {
            is_kept_out(&stack, client).await;
        }
    }
}

story! {
    /// All that an account had, refresh tokens included; who logs in right afterwards is in.
    async fn all_tokens_of_an_account_can_be_revoked(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, mut tablet, mut bob) = ana_twice_and_bob(&stack).await;
        let here = ana.client.conversation();
        admin(&stack, &["token", "revoke", "--account", "ana"], "").await;
        let since = Instant::now();
        is_closed(&mut ana.client, since, "the revocation").await;
        is_closed(&mut tablet, since, "the revocation").await;

        let LoggedIn { mut client, .. } = log_in(&stack, "ana").await;
        client.joins(here).await;
        client.hears(bob.says("welcome back").await).await;
        is_kept_out(&stack, &ana.client).await;
        let refresh = json!({"refresh": ana.refresh});
        Rest::new(stack.edge(0)).post("/api/auth/refresh/", &refresh).await.expect_status(400);

        admin(&stack, &["token", "revoke", "--account", &client.id.to_string()], "").await;
        is_closed(&mut client, Instant::now(), "the revocation").await;
    }
}

story! {
    /// Logging out ends the device that does it, logging out everywhere all of them.
    async fn logging_out_closes_sockets(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, mut tablet, mut bob) = ana_twice_and_bob(&stack).await;
        let mut phone = log_in(&stack, "ana").await.client;
        phone.joins(ana.client.conversation()).await;

        let rest = Rest::new(stack.edge(0)).with_token(&ana.client.access);
        let log_out = rest.build(Method::POST, "/api/auth/logout/").header("refresh", &ana.refresh);
        natter_tests::rest::Answer::of(log_out).await.expect_status(205);
        let since = Instant::now();
        is_closed(&mut ana.client, since, "logging out").await;
        is_closed(&mut tablet, since, "logging out").await;
        is_kept_out(&stack, &ana.client).await;
        phone.hears(bob.says("the phone goes on").await).await;

        let LoggedIn { client: mut desk, .. } = log_in(&stack, "ana").await;
        desk.joins(ana.client.conversation()).await;
        phone.post("/api/auth/logout-all/", &json!({})).await.expect_status(205);
        let since = Instant::now();
        is_closed(&mut phone, since, "logging out everywhere").await;
        is_closed(&mut desk, since, "logging out everywhere").await;
        for client in [&phone, &desk] {
            is_kept_out(&stack, client).await;
        }
        let LoggedIn { client: mut again, .. } = log_in(&stack, "ana").await;
        again.joins(ana.client.conversation()).await;
        again.hears(bob.says("welcome back").await).await;
    }
}

story! {
    /// Who is removed is out on every edge, gets nothing that is said afterwards, and does not come in again.
    async fn a_removed_participant_hears_nothing_more(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, mut tablet, mut bob) = ana_twice_and_bob(&stack).await;
        let mut laptop = bob.elsewhere().on_edge(0);
        let here = bob.conversation();
        laptop.joins(here).await;
        let seen = bob.hears(ana.client.says("with bob").await).await;
        laptop.hears_next().await;

        let remove = ["participant", "remove", "--conversation", &here.to_string(), "--account", "bob"];
        let printed = admin(&stack, &remove, "").await;
        let since = Instant::now();
        assert!(printed.contains("no longer"), "{printed}");
        // Said through both edges, at once: none of it may reach Bob.
        let without = ana.client.says("without bob").await;
        tablet.says("he is gone").await;
        for path in [String::new(), format!("&since={seen}")] {
            for edge in 0..2 {
                let goodbye = bob.elsewhere().on_edge(edge).is_refused_here_with(&path).await;
                assert_eq!(goodbye.code, 4003, "edge {edge}: {goodbye:?}");
            }
        }
        for client in [&mut bob, &mut laptop] {
            let goodbye = client.hears_only_goodbye().await;
            println!("{}: closed {:?} after the removal", client.username, since.elapsed());
            assert_eq!(goodbye.code, 4003, "{goodbye:?}");
        }
        let history = bob.get(&format!("/api/chat/conversations/{here}/messages/")).await;
        assert_eq!(history.status, 404, "{}", history.text);
        assert_eq!(tablet.hears_next().await["content"], "with bob");
        tablet.hears(without).await;

        let again = admin(&stack, &remove, "").await;
        assert!(again.contains("no longer"), "{again}");
        stack.crashes().await;
        stack.comes_back().await;
        assert_eq!(bob.is_refused_here().await.code, 4003);
        ana.client.reconnects().await;
        ana.client.says("the others go on").await;
    }
}

story! {
    /// They say what is wrong, in one line.
    async fn admin_commands_that_cannot_be_done_say_why(shape: Shape) {
        let stack = shape.start().await;
        let deployment = stack.deployment().await;
        for (arguments, word) in [
            (&["token", "revoke"][..], "token"),
            (&["token", "revoke", "--account", "nobody"], "nobody"),
            (&["participant", "remove", "--conversation", "1", "--account", "nobody"], "nobody"),
            (&["participant", "remove", "--conversation", "1", "--account", "eve"], "does not take part"),
            (&["participant", "remove", "--conversation", "0", "--account", "eve"], "--conversation"),
        ] {
            let finished = deployment.natter(arguments.iter().copied()).run();
            assert!(!finished.status.success(), "{arguments:?}");
            assert!(finished.stderr.contains(word), "{arguments:?}: {}", finished.stderr);
            assert_eq!(finished.stderr.trim().lines().count(), 1, "{arguments:?}: {}", finished.stderr);
        }
    }
}

/// With authz down, those who are in go on, those who were let in a moment ago may come again, and nobody else gets in.
/// What ended meanwhile is known as soon as authz is back.
#[tokio::test]
async fn rights_that_end_while_authz_is_away_end_when_it_is_back() {
    // Longer than it takes to get so far, on whichever machine.
    let stack = Shape::Real.start_set(&[("edge", "EDGE_ADMISSION_SECONDS", "60")]).await;
    let (mut ana, mut tablet, mut bob) = ana_twice_and_bob(&stack).await;
    let here = bob.conversation();
    stack.deployment().await.service("authz").kill();

    let mut again = bob.elsewhere();
    bob.drops_the_line();
    again.reconnects().await;
    again.hears(ana.client.says("still here").await).await;
    let mut eve = stack.client("eve");
    let goodbye = eve.is_refused(&format!("/ws/chat/{here}/?token={}", eve.access)).await;
    assert_eq!(goodbye.code, 4000, "{goodbye:?}");
    assert!(goodbye.reason.contains("try again"), "{goodbye:?}");
    eve.drops_the_line();

    let jti = claim(&ana.client.access, "jti");
    admin(&stack, &["token", "revoke", "--jti", jti.as_str().expect("a text")], "").await;
    let remove = ["participant", "remove", "--conversation", &here.to_string(), "--account", "bob"];
    let finished = stack.deployment().await.natter(remove).run();
    assert!(!finished.status.success(), "{}", finished.stdout);
    assert!(finished.stderr.contains("nobody has told the log"), "{}", finished.stderr);

    let mut deployment = stack.deployment().await;
    deployment.service("authz").start();
    deployment.service("authz").is_ready().await;
    let since = Instant::now();
    drop(deployment);
    is_closed(&mut ana.client, since, "authz came back").await;
    is_closed(&mut tablet, since, "authz came back").await;
    let goodbye = again.is_sent_away().await;
    println!("bob: closed {:?} after authz came back", since.elapsed());
    assert_eq!(goodbye.code, 4003, "{goodbye:?}");
    is_kept_out(&stack, &ana.client).await;
    assert_eq!(again.is_refused_here().await.code, 4003);
}

/// With NATS down, a removal waits; the sockets are closed all the same, and the log is told when it is back.
#[tokio::test]
async fn a_removal_is_announced_when_the_broker_is_back() {
    let stack = Stack::real().await;
    let (_ana, mut bob) = stack.two_in_a_chat().await;
    let here = bob.conversation().to_string();
    stack.deployment().await.servers().nats.kill();
    let remove =
        stack.deployment().await.natter(["participant", "remove", "--conversation", &here, "--account", "bob"]);
    let removing = tokio::task::spawn_blocking(move || remove.run());
    assert_eq!(bob.is_sent_away().await.code, 4003);
    let finished = removing.await.expect("no panic");
    assert!(finished.stderr.contains("nobody has told the log"), "{}", finished.stderr);

    stack.deployment().await.servers().nats.start().await;
    until("the log is told", async || {
        let unannounced = "SELECT count(*) FROM authz.rights_changes WHERE NOT announced";
        (stack.deployment().await.servers().postgres.query(unannounced) == ["0"]).then_some(())
    })
    .await;
}
