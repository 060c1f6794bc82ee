//! A stream that lost its tail, or was made anew: nobody is told that something stands where something else stood.

mod provisioned;

use std::path::Path;
use std::process::Command;

use natter_log::contract::Subject as _;
use natter_log::contract::fixtures::{GARBAGE, conversation, posted};
use natter_log::port::{Backlog as _, Log, LogError};
use natter_log_nats::{JetStream, State, StreamSettings, provision};
use natter_model::id::Position;
use natter_tests::wait::until;
use provisioned::{Provisioned, at, becomes};

async fn say(log: &JetStream, n: usize) -> Position {
    let mut last = Position::START;
    for i in 0..n {
        let appended = log.append(&posted(conversation(1), &format!("message {i}"))).await;
        last = appended.expect("the log takes it").position;
    }
    last
}

fn copy(from: &Path, to: &Path) {
    std::fs::remove_dir_all(to).ok();
    let copied = Command::new("cp").arg("-a").args([from, to]).status().expect("cp can be run");
    assert!(copied.success());
}

async fn recreate(url: &str) {
    let client = async_nats::connect(url).await.expect("the server is up");
    async_nats::jetstream::new(client).delete_stream("CHAT").await.expect("it is deleted");
    provision(&at(url), &StreamSettings::default()).await.expect("the server takes the stream");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_tail_is_noticed_when_the_server_is_back() {
    let mut log = Provisioned::new(Position::START).await;
    let found = say(&log.log, 5).await;
    let mut consumer = log.log.consume().await.expect("there is a backlog");
    log.server.terminate().await;
    let before = tempfile::tempdir().expect("a temporary folder");
    let before = before.path().join("copy");
    copy(&log.server.store(), &before);
    log.server.start().await;
    becomes(&log.log, State::Ready).await;
    let known = say(&log.log, 3).await;
    log.server.terminate().await;
    copy(&before, &log.server.store());
    log.server.start().await;

    let refused =
        until("the log has a line again", async || match log.log.append(&posted(conversation(1), "x")).await {
            Err(LogError::Unavailable(_)) => None,
            other => Some(other),
        })
        .await;
    let went_backwards = State::WentBackwards { known, found };
    assert_eq!(refused.expect_err("its position was used").to_string(), went_backwards.to_string());
    becomes(&log.log, went_backwards).await;
    let refused = until("the consumer has a line again", async || match consumer.next(9).await {
        Err(LogError::Unavailable(_)) => None,
        other => Some(other),
    })
    .await;
    assert!(matches!(refused, Err(LogError::WentBackwards { .. })), "{refused:?}");

    for _ in 0..3 {
        log.append_raw(conversation(1), GARBAGE).await;
    }
    becomes(&log.log, State::Ready).await;
    assert_eq!(say(&log.log, 1).await.get(), known.get() + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_was_made_anew_is_noticed_while_the_line_stays() {
    let log = Provisioned::new(Position::START).await;
    let known = say(&log.log, 5).await;
    recreate(&log.server.url()).await;
    becomes(&log.log, State::WentBackwards { known, found: Position::START }).await;
    let refused = log.log.append(&posted(conversation(1), "x")).await;
    assert!(matches!(refused, Err(LogError::WentBackwards { .. })), "{refused:?}");
}

/// Whether the look or the acknowledgement is first.
#[tokio::test(flavor = "multi_thread")]
async fn an_append_at_a_used_position_is_never_a_success() {
    let log = Provisioned::new(Position::START).await;
    say(&log.log, 5).await;
    recreate(&log.server.url()).await;
    for _ in 0..3 {
        let refused = log.log.append(&posted(conversation(1), "x")).await;
        assert!(matches!(refused, Err(LogError::WentBackwards { .. })), "{refused:?}");
    }
    let last = log.log.last().await.expect("the log answers");
    assert!(last <= Position::new(1), "and at most one is sent before it is noticed: {last}");
}
