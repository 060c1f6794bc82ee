//! What is still there after closing, and after a hard kill.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::*;
use crate::contract::fixtures::{conversation, positions_of, posted};

/// Makes this test's process the one that is killed; holds the log's path.
const VICTIM: &str = "NATTER_TEST_APPEND_TO";

async fn append(log: &Embedded, n: usize) -> Vec<Position> {
    let mut positions = Vec::new();
    for i in 0..n {
        let event = posted(conversation(1), &format!("message {i}"));
        positions.push(log.append(&event).await.expect("the log takes it").position);
    }
    positions
}

#[tokio::test]
async fn an_old_log_goes_on_where_it_was() {
    let folder = folder();
    let event = posted(conversation(1), "once");
    let log = open(&folder, Position::new(1000));
    let first = log.append(&event).await.expect("the log takes it");
    let mut said = vec![first.position];
    said.extend(append(&log, 2).await);
    drop(log);

    let log = open(&folder, Position::new(5));
    let entries = log.read(conversation(1), Position::START, 10).await.expect("the log reads");
    assert_eq!(entries.iter().map(|entry| entry.position).collect::<Vec<_>>(), said);
    let again = log.append(&event).await.expect("the log takes it");
    assert_eq!(again, Appended { position: first.position, duplicate: true });
    assert_eq!(append(&log, 1).await, [Position::new(1003)]);
}

#[tokio::test]
async fn what_was_acknowledged_stays_so() {
    let folder = folder();
    let log = open(&folder, Position::START);
    let positions = append(&log, 4).await;
    let mut consumer = log.consume().await.expect("there is a backlog");
    consumer.next(4).await.expect("it delivers");
    consumer.acknowledge(&[positions[0], positions[2]]).await.expect("they are acknowledged");
    drop((consumer, log));

    let log = open(&folder, Position::START);
    assert_eq!(log.floor().await.expect("the log answers"), positions[0]);
    let mut consumer = log.consume().await.expect("there is a backlog");
    let again = positions_of(&consumer.next(4).await.expect("it delivers"));
    assert_eq!(again, [positions[1], positions[3]]);
    consumer.acknowledge(&again).await.expect("they are acknowledged");
    assert_eq!(log.floor().await.expect("the log answers"), positions[3]);
}

#[tokio::test]
async fn a_consumer_ends_with_its_log() {
    let folder = folder();
    let log = open(&folder, Position::START);
    let mut consumer = log.consume().await.expect("there is a backlog");
    let mut feed = log.follow(conversation(1)).await.expect("it can be followed");
    let waiting = tokio::spawn(async move { consumer.next(1).await });
    drop(log);
    let ended = waiting.await.expect("it does not panic");
    assert!(matches!(ended, Err(LogError::Unavailable(_))), "{ended:?}");
    assert_eq!(feed.next().await, None);
}

#[tokio::test]
async fn a_hard_kill_loses_nothing_that_was_acknowledged() {
    if let Some(path) = std::env::var_os(VICTIM) {
        return append_until_killed(Path::new(&path)).await;
    }
    let folder = folder();
    let path = folder.path().join("log.redb");
    let mut victim = Command::new(std::env::current_exe().expect("this test has a path"))
        .args([
            "--exact",
            "--nocapture",
            "embedded::tests::durability::a_hard_kill_loses_nothing_that_was_acknowledged",
        ])
        .env(VICTIM, &path)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this test can start itself");
    let said = BufReader::new(victim.stderr.take().expect("its stderr is a pipe")).lines();
    let acknowledged: Vec<String> = said.take(200).map(|line| line.expect("it speaks UTF-8")).collect();
    victim.kill().expect("it can be killed");
    victim.wait().expect("it ends");

    let log = Embedded::open(&path, Position::START).expect("it opens");
    let entries = log.read(conversation(1), Position::START, usize::MAX).await.expect("the log reads");
    let found: Vec<String> = entries.iter().map(|entry| format!("{} {}", entry.position, entry.event.id)).collect();
    assert_eq!(acknowledged.len(), 200, "{acknowledged:?}");
    for line in &acknowledged {
        assert!(found.contains(line), "{line} was acknowledged and is gone");
    }
    let last = entries.last().expect("there are some").position;
    assert!(append(&log, 1).await[0] > last);
}

/// Tells on stderr what the log has acknowledged.
async fn append_until_killed(path: &Path) {
    let log = Embedded::open(path, Position::START).expect("it opens");
    loop {
        let events: Vec<_> = (0..10).map(|i| posted(conversation(1), &format!("message {i}"))).collect();
        for (event, appended) in
            events.iter().zip(futures_util::future::join_all(events.iter().map(|e| log.append(e))).await)
        {
            let position = appended.expect("the log takes it").position;
            eprintln!("{position} {}", event.id);
        }
    }
}
