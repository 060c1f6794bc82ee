//! `natter verify`: finds where the store is not what the log says, and nothing else.

use natter_tests::client::Client;
use natter_tests::frame::Frame;
use natter_tests::process::Finished;
use natter_tests::stack::{Shape, Stack};
use natter_tests::story;
use natter_tests::wait::until;

/// Says all kinds of things; returns those that stand in the end.
async fn chat(ana: &mut Client, bob: &mut Client) -> Vec<Frame> {
    let mut said = Vec::new();
    for number in 0..20 {
        said.push(ana.says(&format!("word {number}")).await);
    }
    ana.edits(&said[3], "edited").await;
    ana.edits(&said[3], "edited again").await;
    let gone = said.remove(4);
    ana.deletes(&gone).await;
    bob.reads(&said[1]).await;
    bob.reads(&said[10]).await;
    ana.says("last").await;
    said
}

async fn verify<'a>(stack: &Stack, more: impl IntoIterator<Item = &'a str>) -> Finished {
    let deployment = stack.deployment().await;
    deployment.natter(["verify"].into_iter().chain(more)).run()
}

/// Everything that was said is compared: waits until the log knows that it is stored.
async fn is_verified(stack: &Stack) -> String {
    until("everything is stored and verified", async || {
        let said = verify(stack, []).await.succeeded();
        said.contains("Events applied: 26.").then_some(said)
    })
    .await
}

story! {
    /// A store that has taken in everything is as the log says.
    async fn a_store_without_a_fault_is_found_to_be_so(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, mut bob) = stack.two_in_a_chat().await;
        chat(&mut ana, &mut bob).await;
        if shape == Shape::Local {
            let refused = verify(&stack, []).await;
            assert!(!refused.status.success() && refused.stderr.contains("another natter"), "{}", refused.stderr);
            // So that the fold is not cut short.
            assert_eq!(ana.history().await.len(), 20);
            stack.deployment().await.service("natter").terminate().await;
        }
        let said = is_verified(&stack).await;
        assert!(said.contains("Messages compared as a whole: 21."), "{said}");
        assert!(said.contains("Differences: 0. Mended: 0."), "{said}");
    }
}

/// What somebody did to the tables by hand is found; what is missing is mended, what was altered is told.
#[tokio::test]
async fn what_was_done_by_hand_is_found() {
    let stack = Stack::real().await;
    let (mut ana, mut bob) = stack.two_in_a_chat().await;
    let said = chat(&mut ana, &mut bob).await;
    is_verified(&stack).await;
    let [missing, edited, altered] = [7, 3, 9].map(|n| said[n].message_id());
    let strange = said[5].message_id();
    let sql = async |sql: String| drop(stack.deployment().await.servers().postgres.query(&sql));
    sql(format!("DELETE FROM persistence.messages WHERE message_id IN ({missing}, {edited})")).await;
    sql(format!("UPDATE persistence.messages SET content = 'forged' WHERE message_id = {altered}")).await;
    sql("DELETE FROM persistence.read_marks".to_owned()).await;
    sql(format!("UPDATE persistence.messages SET event_id = gen_random_uuid() WHERE message_id = {strange}")).await;

    let found = verify(&stack, []).await;
    assert_eq!(found.status.code(), Some(1), "{}", found.stdout);
    let expected = |id: u64, what: &str| format!("Differs: message {id} {what}");
    let lines = [
        expected(missing, "is not in the store"),
        expected(edited, "is not in the store"),
        expected(altered, "differs in content"),
        expected(strange, "differs in event_id"),
        expected(strange, "is in the store, but the log holds no such post"),
        "Differs: the read mark".to_owned(),
    ];
    for line in &lines {
        assert!(found.stdout.contains(line), "{line}: {}", found.stdout);
    }
    let [from, to] = ["--from", "--to"].map(|side| format!("{side}={missing}"));
    let found = verify(&stack, [from.as_str(), to.as_str()]).await;
    assert!(found.stdout.contains("Differences: 1."), "only one lies there: {}", found.stdout);

    let mended = verify(&stack, ["--repair"]).await;
    assert_eq!(mended.status.code(), Some(1), "{}", mended.stdout);
    assert!(mended.stdout.contains(&format!("Mended: message {missing} is not in the store")), "{}", mended.stdout);
    assert!(mended.stdout.contains("Mended: the read mark"), "{}", mended.stdout);
    assert!(mended.stdout.contains(&expected(altered, "differs in content")), "{}", mended.stdout);
    let history = ana.history().await;
    assert_eq!((history[3].as_str(), history[7].as_str(), history[9].as_str()), ("edited again", "word 8", "forged"));
    let left = verify(&stack, []).await;
    assert!(left.stdout.contains("Differences: 3."), "what was altered, and nothing else: {}", left.stdout);
}

/// While people chat nothing is wrong that is only not stored yet.
#[tokio::test]
async fn verifying_while_people_chat_finds_nothing() {
    let stack = Stack::real().await;
    let (mut ana, mut bob) = stack.two_in_a_chat().await;
    for round in 0..5 {
        let mut said = Vec::new();
        for number in 0..10 {
            said.push(ana.says(&format!("word {number} of round {round}")).await);
        }
        ana.edits(&said[2], "edited").await;
        bob.reads(&said[9]).await;
        let found = verify(&stack, []).await.succeeded();
        assert!(found.contains("Differences: 0.") || found.contains("Nothing to compare"), "{found}");
    }
}
