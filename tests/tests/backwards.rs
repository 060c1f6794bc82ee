//! A log that lost its tail, or was made anew: nothing is sent until it is mended, and nothing stored is written over.

use std::path::Path;
use std::process::Command;

use natter_tests::deployment::Deployment;
use natter_tests::frame::Frame;
use natter_tests::stack::{Shape, Stack};
use natter_tests::story;
use natter_tests::wait::until;
use serde_json::json;

/// What the rows of everybody's messages say; without the file that one of the shapes keeps them in.
async fn rows(stack: &Stack) -> Vec<String> {
    let everything = "SELECT message_id, event_id, content, is_deleted, edited_seq, deleted_seq, read_seq, touched_seq \
                      FROM persistence.messages ORDER BY message_id";
    stack.deployment().await.servers().postgres.query(everything)
}

fn copy(from: &Path, to: &Path) {
    if to.is_dir() {
        std::fs::remove_dir_all(to).expect("the folder is not in use");
    }
    let copied = Command::new("cp").arg("-a").args([from, to]).status().expect("cp can be run");
    assert!(copied.success());
}

/// Stops whatever has the log in its hands, and starts it on another one.
async fn with_log_changed(stack: &Stack, change: impl FnOnce(&Path)) {
    let mut deployment = stack.deployment().await;
    if stack.shape() == Shape::Local {
        let log = deployment.data().join("log.redb");
        deployment.service("natter").terminate().await;
        change(&log);
        deployment.service("natter").start();
        deployment.service("natter").is_bound().await;
    } else {
        let nats = &mut deployment.servers().nats;
        nats.terminate().await;
        change(&nats.store());
        nats.start().await;
    }
}

/// Waits until those who need the log say that it went backwards.
async fn is_noticed(deployment: &Deployment) {
    for service in deployment.services.iter().filter(|service| service.name() != "authz") {
        until(&format!("{} notices", service.name()), async || {
            let (status, waiting) = service.probe("readyz").await?;
            (status == 503 && waiting.contains("went backwards")).then_some(())
        })
        .await;
    }
}

async fn repair(stack: &Stack) -> String {
    let mut deployment = stack.deployment().await;
    if stack.shape() == Shape::Real {
        return deployment.natter(["repair"]).run().succeeded();
    }
    let refused = deployment.natter(["repair"]).run();
    assert!(!refused.status.success() && refused.stderr.contains("another natter"), "{}", refused.stderr);
    deployment.service("natter").terminate().await;
    let said = deployment.natter(["repair"]).run().succeeded();
    deployment.service("natter").start();
    said
}

story! {
    /// The log is put back from an older copy: sending is refused, reading is not, and after `natter repair` everything
    /// that the store knew stands where it stood, for everybody.
    async fn a_lost_tail_is_noticed_and_mended(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, mut bob) = stack.two_in_a_chat().await;
        let first = ana.says("first").await;
        assert_eq!(ana.history().await, ["first"]);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let before = folder.path().join("before");
        with_log_changed(&stack, |log| copy(log, &before)).await;
        stack.deployment().await.is_ready().await;
        ana.reconnects().await;
        bob.reconnects().await;
        let second = ana.insists("second", "second").await;
        ana.says("third").await;
        let edit = ana.edits(&first, "first, edited").await;
        ana.deletes(&second).await;
        bob.reads(&first).await;
        let last = bob.reads(&second).await;
        let expected = ["first, edited", "third"];
        assert_eq!(ana.history().await, expected);
        let rows_before = if shape == Shape::Real { rows(&stack).await } else { Vec::new() };

        with_log_changed(&stack, |log| copy(&before, log)).await;
        is_noticed(&*stack.deployment().await).await;
        ana.reconnects().await;
        ana.sends(json!({"type": "message", "content": "into the past"})).await;
        let told = ana.is_told().await;
        assert_eq!(told["code"], "unavailable", "{told}");
        assert!(told["retry_after_ms"].is_u64(), "{told}");
        assert_eq!(ana.history().await, expected, "what is stored can be read");

        let said = repair(&stack).await;
        for line in ["2 of kind message", "1 of kind edit", "1 of kind delete", "1 of kind read mark"] {
            assert!(said.contains(line), "{line}: {said}");
        }
        let lost = format!("1 position ({})", last.seq() - 1);
        assert!(said.contains(&lost), "the first read, which a later one superseded: {lost}: {said}");
        stack.deployment().await.is_ready().await;
        ana.reconnects().await;
        bob.reconnects().await;
        let on = ana.insists("and on", "and on").await;
        assert!(on.message_id() > last.seq(), "{on}");
        bob.hears(on.clone()).await;
        assert_eq!(ana.history().await, ["first, edited", "third", "and on"]);

        let mut tablet = bob.elsewhere();
        tablet.reconnects_after(edit.seq()).await;
        let deleted = tablet.hears_next().await;
        assert_eq!((deleted.kind(), deleted["message_id"].as_u64()), ("delete", Some(second.message_id())), "{deleted}");
        if shape == Shape::Real {
            let mut rows_after = rows(&stack).await;
            rows_after.pop();
            assert_eq!(rows_after, rows_before);
            let quarantine = "SELECT count(*) FROM persistence.quarantine";
            assert_eq!(stack.deployment().await.servers().postgres.query(quarantine), ["0"]);
            let again = stack.deployment().await.natter(["repair"]).run().succeeded();
            assert!(again.contains("Nothing to mend"), "{again}");
        }
    }
}

/// The stream is gone, and somebody has made a new one: it is given back its place.
#[tokio::test]
async fn a_stream_that_was_made_anew_goes_on_behind_the_old_one() {
    let stack = Stack::real().await;
    let (mut ana, mut bob) = stack.two_in_a_chat().await;
    ana.says("one").await;
    let two = ana.says("two").await;
    assert_eq!(ana.history().await, ["one", "two"]);
    with_log_changed(&stack, |log| std::fs::remove_dir_all(log).expect("the folder is not in use")).await;
    stack.deployment().await.natter(["provision"]).run().succeeded();
    is_noticed(&*stack.deployment().await).await;

    let said = stack.deployment().await.natter(["repair"]).run().succeeded();
    assert!(said.contains("made anew"), "{said}");
    stack.deployment().await.is_ready().await;
    ana.reconnects().await;
    bob.reconnects_after(0).await;
    let three = ana.insists("three", "three").await;
    assert!(three.message_id() > two.message_id());
    let heard: Vec<_> = [bob.hears_next().await, bob.hears_next().await].iter().map(Frame::message_id).collect();
    assert_eq!(heard, [two.message_id() - 1, two.message_id()]);
    assert_eq!(ana.history().await, ["one", "two", "three"]);
    let again = stack.deployment().await.natter(["repair"]).run().succeeded();
    assert!(again.contains("Nothing to mend"), "{again}");
}
