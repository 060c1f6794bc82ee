//! The first try: one command, two demo accounts, and only where nobody else can reach them.

use std::path::Path;

use natter_tests::fixture::PASSWORD;
use natter_tests::rest::Rest;
use natter_tests::service::Service;
use serde_json::json;

/// `natter` on a data folder of its own, started as a newcomer does. Without a signing key.
fn natter(folder: &Path) -> Service {
    Service::new("natter", "natter", "NATTER", folder).setting("NATTER_DATA", folder.join("data").display().to_string())
}

async fn log_in(natter: &Service, username: &str) -> natter_tests::rest::Answer {
    let credentials = json!({"username": username, "password": PASSWORD});
    Rest::new(natter.address()).post("/api/auth/login/", &credentials).await
}

#[tokio::test]
async fn the_first_start_makes_two_accounts_and_says_so() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut natter = natter(folder.path());
    natter.start();
    natter.is_ready().await;

    let said = natter.running().log();
    let data = folder.path().join("data");
    for word in ["john_doe", "jane_smith", PASSWORD, &natter.address().to_string(), &data.display().to_string(), "curl"]
    {
        assert!(said.contains(word), "it does not say {word}:\n{said}");
    }
    assert_eq!(log_in(&natter, "john_doe").await.expect_status(200)["account"]["id"], 2);
    assert_eq!(log_in(&natter, "jane_smith").await.expect_status(200)["account"]["id"], 3);
}

/// The same flow as in the stories, on nothing but what the first start made.
#[tokio::test]
async fn a_newcomer_can_chat_and_everything_is_there_after_a_restart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut natter = natter(folder.path());
    natter.start();
    natter.is_ready().await;
    let login = log_in(&natter, "john_doe").await.expect_status(200);
    let token = login["access"].as_str().expect("an access token");
    let rest = Rest::new(natter.address()).with_token(token);
    let started = rest.post("/api/chat/conversations/start/", &json!({"user2": 3})).await.expect_status(201);
    assert_eq!((&started["id"], &started["participants"]), (&json!(1), &json!([2, 3])));
    let sent = rest.post("/api/chat/conversations/1/send_message/", &json!({"content": "hello"})).await;
    sent.expect_status(201);

    natter.kill();
    natter.start();
    natter.is_ready().await;

    // The token of before the restart is still good: the key is kept.
    let messages = rest.request(reqwest::Method::GET, "/api/chat/conversations/1/messages/", None).await;
    assert_eq!(messages.expect_status(200)["results"][0]["content"], "hello");
    assert_eq!(rest.post("/api/chat/conversations/start/", &json!({"user2": 3})).await.status, 200);
}

#[tokio::test]
async fn no_demo_means_no_demo() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut natter = natter(folder.path()).argument("--no-demo");
    natter.start();
    natter.is_ready().await;
    assert_eq!(log_in(&natter, "john_doe").await.status, 401);
    assert!(!natter.running().log().contains(PASSWORD));
}

/// A folder that was used before gets no demo accounts, whoever deleted them.
#[tokio::test]
async fn only_the_first_start_makes_accounts() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut first = natter(folder.path()).argument("--no-demo");
    first.start();
    first.is_ready().await;
    first.terminate().await;
    let mut second = natter(folder.path());
    second.start();
    second.is_ready().await;
    assert_eq!(log_in(&second, "john_doe").await.status, 401);
}

/// Reachable from elsewhere, accounts with a known password would be a hole.
#[tokio::test]
async fn only_loopback_gets_accounts() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut natter = natter(folder.path()).everywhere().setting("SIGNING_KEY", natter_tests::fixture::SIGNING_KEY);
    natter.start();
    natter.is_ready().await;
    assert_eq!(log_in(&natter, "john_doe").await.status, 401);
    assert!(!natter.running().log().contains(PASSWORD));
}

/// The key that a first start makes is for its owner only.
#[cfg(unix)]
#[tokio::test]
async fn the_folder_keeps_its_secret() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut natter = natter(folder.path());
    natter.start();
    natter.is_ready().await;
    let files = std::fs::read_dir(folder.path().join("data")).expect("the data folder");
    let open_to_others: Vec<_> = files
        .filter_map(|file| {
            let file = file.ok()?;
            (file.metadata().ok()?.permissions().mode() & 0o077 != 0).then(|| file.file_name())
        })
        .collect();
    let keys: Vec<_> = open_to_others.iter().filter(|name| name.to_string_lossy().contains("key")).collect();
    assert!(keys.is_empty(), "others can read {keys:?}");
}
