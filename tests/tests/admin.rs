//! The admin commands: `natter provision`, `natter migrate`, `natter account create`.

use std::io::Write as _;
use std::process::Stdio;

use natter_tests::client::Client;
use natter_tests::deployment::Deployment;
use natter_tests::process::Launch;
use natter_tests::stack::{Shape, Stack};
use natter_tests::story;

/// Both may be run again at any time, also while people chat.
#[tokio::test]
async fn provision_and_migrate_may_be_run_again() {
    let stack = Stack::real().await;
    let (mut ana, mut bob) = stack.two_in_a_chat().await;
    bob.hears(ana.says("before").await).await;
    for _ in 0..2 {
        let deployment = stack.deployment().await;
        deployment.natter(["provision"]).run().succeeded();
        deployment.natter(["migrate"]).run().succeeded();
    }
    bob.hears(ana.says("after").await).await;
    assert_eq!(bob.history().await, ["before", "after"]);
}

/// Without a broker or a database they fail, and say which setting leads to nobody.
#[tokio::test]
async fn provision_and_migrate_say_what_they_cannot_reach() {
    let deployment = Deployment::real();
    for (command, setting) in [("provision", "NATS_URL"), ("migrate", "DATABASE_URL")] {
        let finished = deployment.natter([command]).run();
        assert!(!finished.status.success());
        assert!(finished.stderr.contains(setting), "{command}: {}", finished.stderr);
        assert_eq!(finished.stderr.trim().lines().count(), 1, "{command}: {}", finished.stderr);
    }
}

story! {
    /// A new account can log in at once; its name can be had only once.
    async fn an_account_is_made_and_logs_in(shape: Shape) {
        let stack = shape.start().await;
        let create = {
            let deployment = stack.deployment().await;
            deployment.natter(["account", "create", "zoe", "--email", "zoe@example.com", "--profile-type", "trainer", "--password-stdin"])
        };
        let (succeeded, printed) = with_stdin(&create, "correct horse\n");
        assert!(succeeded, "{printed}");
        assert!(!printed.contains("correct horse"), "the password is not repeated");

        let mut zoe = Client::log_in(stack.clone(), "zoe", "correct horse").await;
        let mut ana = stack.client("ana");
        let conversation = zoe.starts_a_chat_with(&ana).await;
        zoe.joins(conversation).await;
        ana.joins(conversation).await;
        ana.hears(zoe.says("I am new").await).await;

        let (succeeded, printed) = with_stdin(&create, "another password\n");
        assert!(!succeeded && printed.contains("zoe"), "{printed}");
        Client::log_in(stack.clone(), "zoe", "correct horse").await;
    }
}

/// Runs it with this on its standard input; returns whether it succeeded, and what it printed.
fn with_stdin(launch: &Launch, input: &str) -> (bool, String) {
    let mut command = launch.command();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("the command reads");
    let output = child.wait_with_output().expect("the command ends");
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), printed)
}
