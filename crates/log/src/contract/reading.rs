//! Reading: pages, the chain of entries, the head.

use natter_model::event::Entry;
use natter_model::id::Position;

use super::Subject;
use super::fixtures::{GARBAGE, conversation, say};
use crate::port::LogError;

/// Reading on from the last entry of a page gives the next, and a short page is the last.
pub async fn pages_follow_each_other(subject: &impl Subject) {
    let here = conversation(1);
    let mut said = Vec::new();
    for _ in 0..7 {
        said.extend(say(subject, here, 1).await);
        say(subject, conversation(2), 1).await;
    }
    let mut read: Vec<Entry> = Vec::new();
    for n_expected in [3, 3, 1] {
        let after = read.last().map_or(Position::START, |entry| entry.position);
        let page = subject.log().read(here, after, 3).await.expect("the log reads");
        assert_eq!(page.len(), n_expected);
        read.extend(page);
    }
    assert_eq!(read, said);
    let beyond = subject.log().read(here, said[6].position, 3).await.expect("the log reads");
    assert_eq!(beyond, []);
}

/// Reading from between two entries names the one before as the first entry's previous.
pub async fn the_first_entry_names_the_record_before_after(subject: &impl Subject) {
    let here = conversation(1);
    let before_all = say(subject, conversation(2), 1).await[0].position;
    let mut said = say(subject, here, 2).await;
    let between = say(subject, conversation(2), 1).await[0].position;
    said.extend(say(subject, here, 1).await);
    for after in [before_all, said[0].position, between] {
        let read = subject.log().read(here, after, 10).await.expect("the log reads");
        let expected: Vec<_> = said.iter().filter(|entry| entry.position > after).cloned().collect();
        assert_eq!(read, expected);
    }
}

/// An empty conversation reads as empty, and so do no entries of any.
pub async fn nothing_is_read_where_nothing_was_said(subject: &impl Subject) {
    say(subject, conversation(1), 2).await;
    let log = subject.log();
    assert_eq!(log.read(conversation(2), Position::START, 10).await.expect("the log reads"), []);
    assert_eq!(log.read(conversation(2), Position::new(1), 10).await.expect("the log reads"), []);
    assert_eq!(log.read(conversation(1), Position::START, 0).await.expect("the log reads"), []);
}

/// The head moves with each append to the conversation, and with no other.
pub async fn the_head_is_the_conversations_own(subject: &impl Subject) {
    let here = conversation(1);
    let head = async || subject.log().head(here).await.expect("the log answers");
    assert_eq!(head().await, Position::START);
    for _ in 0..3 {
        let said = say(subject, here, 1).await;
        assert_eq!(head().await, said[0].position);
        say(subject, conversation(2), 1).await;
        assert_eq!(head().await, said[0].position);
    }
}

/// An entry is found by where it stands, and only there.
pub async fn an_entry_is_found_by_its_position(subject: &impl Subject) {
    say(subject, conversation(1), 2).await;
    let said = say(subject, conversation(2), 1).await.remove(0);
    let entry = subject.log().entry(said.position).await.expect("the log answers").expect("it is there");
    assert_eq!((entry.position, entry.event), (said.position, said.event));
    for nowhere in [Position::START, Position::new(said.position.get() + 1)] {
        assert_eq!(subject.log().entry(nowhere).await.expect("the log answers"), None);
    }
}

/// A record that is no event hides nothing that stands beside it.
pub async fn unreadable_records_are_passed_over(subject: &impl Subject) {
    let here = conversation(1);
    let before = say(subject, here, 1).await.remove(0);
    let unreadable = subject.append_raw(here, GARBAGE).await;
    assert_eq!(subject.log().head(here).await.expect("the log answers"), unreadable);
    let mut after = say(subject, here, 1).await.remove(0);
    after.previous = before.position;
    // Two are wanted, so that one more record has to be looked at.
    let read = subject.log().read(here, Position::START, 2).await.expect("the log reads");
    assert_eq!(read, [before, after.clone()]);
    let at = subject.log().entry(unreadable).await;
    assert!(matches!(at, Err(LogError::Unreadable { position, .. }) if position == unreadable), "{at:?}");

    let last = subject.append_raw(here, GARBAGE).await;
    assert_eq!(subject.log().head(here).await.expect("the log answers"), last);
    assert_eq!(subject.log().read(here, after.position, 2).await.expect("the log reads"), []);
}

/// The first record of a log that begins at `first` stands there.
pub async fn a_new_log_begins_where_it_is_told(subject: &impl Subject, first: Position) {
    assert!(subject.backlog().floor().await.expect("the log answers") < first);
    let said = say(subject, conversation(1), 2).await;
    assert_eq!(said[0].position, first);
    assert_eq!(said[1].position, Position::new(first.get() + 1));
    assert_eq!(subject.log().read(conversation(1), Position::START, 9).await.expect("the log reads"), said);

    let mut consumer = subject.backlog().consume().await.expect("there is a backlog");
    let deliveries = consumer.next(1).await.expect("it delivers");
    assert_eq!(deliveries[0].position(), first);
    consumer.acknowledge(&[first]).await.expect("it is acknowledged");
    assert_eq!(subject.backlog().floor().await.expect("the log answers"), first);
}
