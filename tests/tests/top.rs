//! `natter top` shows what a running system does.

use natter_tests::client::Client;
use natter_tests::process::{Finished, Launch};
use natter_tests::stack::Stack;
use natter_tests::terminal::Terminal;
use serde_json::Value;
use tokio::task::spawn_blocking;

const NAMES: [&str; 5] = ["edge-1", "edge-2", "authz", "persistence-1", "persistence-2"];

/// `natter top` over all programs, with more arguments.
async fn top(stack: &Stack, arguments: &[&str]) -> Launch {
    let mut deployment = stack.deployment().await;
    let addresses = NAMES.map(|name| format!("http://{}", deployment.service(name).ops())).join(",");
    deployment.natter(["top", "--ops", &addresses].into_iter().chain(arguments.iter().copied()))
}

/// Runs it while the two go on talking.
async fn while_they_talk(top: Launch, ana: &mut Client, bob: &mut Client) -> Finished {
    let mut running = spawn_blocking(move || top.run());
    loop {
        tokio::select! {
            finished = &mut running => return finished.expect("it ran"),
            () = async { bob.hears(ana.says("something").await).await; } => {}
        }
    }
}

fn row<'a>(told: &'a Value, tier: &str, address: &str) -> &'a Value {
    let rows = told["tiers"][tier].as_array().unwrap_or_else(|| panic!("no {tier} in {told:#}"));
    rows.iter().find(|row| row["address"] == address).unwrap_or_else(|| panic!("no {address} in {told:#}"))
}

#[tokio::test]
async fn it_tells_who_is_connected_and_how_fast_they_talk() {
    let stack = Stack::real().await;
    let (mut ana, mut bob) = stack.two_in_a_chat().await;
    let as_json = top(&stack, &["--json"]).await;
    let told = while_they_talk(as_json, &mut ana, &mut bob).await.succeeded();
    let told: Value = serde_json::from_str(&told).expect("it is JSON");

    let [edge_1, edge_2, authz, persistence, _] = {
        let mut deployment = stack.deployment().await;
        NAMES.map(|name| deployment.service(name).ops().to_string())
    };
    let is_positive = |figure: &Value| figure.as_f64().is_some_and(|figure| figure > 0.0);
    for edge in [&edge_1, &edge_2] {
        let row = row(&told, "edge", edge);
        assert_eq!(row["connections"], 1.0, "{told:#}");
        assert_eq!(row["state"], "ready", "{told:#}");
        assert!(is_positive(&row["deliveries_per_second"]) && is_positive(&row["delivery_p99_seconds"]), "{told:#}");
    }
    let sender = row(&told, "edge", &edge_1);
    assert!(is_positive(&sender["append_p99_seconds"]) && is_positive(&sender["memory_bytes"]), "{told:#}");
    assert_eq!(told["totals"]["connections"], 2.0);
    assert!(is_positive(&told["totals"]["appends_per_second"]), "{told:#}");
    assert_eq!(row(&told, "authz", &authz)["state"], "ready");
    assert!(row(&told, "persistence", &persistence)["lag_records"].is_number(), "{told:#}");
    assert_eq!(told["troubles"].as_array().map(Vec::len), Some(0), "{told:#}");

    stack.deployment().await.service("edge-2").kill();
    let once = top(&stack, &["--once"]).await;
    let told = spawn_blocking(move || once.run()).await.expect("it ran").succeeded();
    assert!(told.starts_with("connected 1 · of at most "), "{told}");
    assert!(told.contains(&format!("{edge_2} is unreachable: Connection refused")), "{told}");
    assert!(told.lines().any(|line| line.starts_with(&edge_1) && line.contains(" ready ")), "{told}");
}

#[tokio::test]
async fn who_is_not_ready_says_why() {
    let stack = Stack::real().await;
    stack.deployment().await.servers().nats.kill();
    let once = top(&stack, &["--once"]).await;
    natter_tests::wait::until("the edges are not ready", async || {
        let once = once.clone();
        let told = spawn_blocking(move || once.run()).await.expect("it ran").succeeded();
        told.contains(" is not ready: waits for nats: ").then_some(())
    })
    .await;
}

#[test]
fn addresses_that_lead_nowhere_are_told_with_what_to_do() {
    let natter = natter_tests::programs::natter_program("natter");
    let top = |ops: &str| Launch::new("top", &natter).arguments(["top", "--once", "--ops", ops]).run();
    let refused = top("edge.example");
    assert_eq!(refused.status.code(), Some(2), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("NATTER_OPS") && refused.stderr.contains("http://127.0.0.1:9090"),
        "{}",
        refused.stderr
    );
    let nobody = top("http://127.0.0.1:1");
    assert_eq!(nobody.status.code(), Some(1), "{}", nobody.stderr);
    assert!(nobody.stderr.contains("--ops"), "{}", nobody.stderr);
    assert!(nobody.stdout.contains("127.0.0.1:1 is unreachable"), "{}", nobody.stdout);
}

#[tokio::test]
async fn it_lives_in_a_terminal_and_leaves_it_as_it_was() {
    let stack = Stack::real().await;
    for key in ["q", "C-c"] {
        let (_ana, _bob) = stack.two_in_a_chat().await;
        let terminal = Terminal::with(&top(&stack, &[]).await);
        terminal.shows("connected 2").await;
        assert!(terminal.is_taken());
        terminal.shows("natter top: q leaves").await;
        terminal.press(key);
        terminal.shows("ended with 0\nas before").await;
        assert!(!terminal.is_taken());
    }
}
