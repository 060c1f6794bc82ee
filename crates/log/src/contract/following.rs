//! Following: what is heard live.

use natter_proto::record;

use super::Subject;
use super::fixtures::{GARBAGE, conversation, hear, posted, say, typing, within};
use crate::port::{Heard, LogError};

/// More than any feed keeps waiting.
const MORE_THAN_A_FEED_HOLDS: usize = 5000;

/// A follower hears the events of its conversation from then on, each with its place and the one before it.
pub async fn a_follower_hears_what_is_appended(subject: &impl Subject) {
    let here = conversation(1);
    say(subject, here, 2).await;
    let mut feed = subject.log().follow(here).await.expect("it can be followed");
    for _ in 0..3 {
        say(subject, conversation(2), 1).await;
        let said = say(subject, here, 1).await.remove(0);
        assert_eq!(hear(&mut feed).await, Heard::Entry(said, None));
    }
    let unreadable = subject.append_raw(here, GARBAGE).await;
    let said = say(subject, here, 1).await.remove(0);
    assert_eq!(said.previous, unreadable);
    assert_eq!(hear(&mut feed).await, Heard::Entry(said, None));
}

/// Followers do not take from each other, and one that leaves takes nothing with it.
pub async fn every_follower_hears_everything(subject: &impl Subject) {
    let here = conversation(1);
    let mut first = subject.log().follow(here).await.expect("it can be followed");
    let leaving = subject.log().follow(here).await.expect("it can be followed");
    let mut second = subject.log().follow(here).await.expect("it can be followed");
    drop(leaving);
    for said in say(subject, here, 3).await {
        assert_eq!(hear(&mut first).await, Heard::Entry(said.clone(), None));
        assert_eq!(hear(&mut second).await, Heard::Entry(said, None));
    }
}

/// Sending an event again is not an event.
pub async fn a_duplicate_is_not_heard(subject: &impl Subject) {
    let here = conversation(1);
    let mut feed = subject.log().follow(here).await.expect("it can be followed");
    let event = posted(here, "once");
    for _ in 0..2 {
        subject.log().append(&event).await.expect("the log takes it");
    }
    let said = say(subject, here, 1).await.remove(0);
    assert!(matches!(hear(&mut feed).await, Heard::Entry(entry, None) if entry.event == event));
    assert_eq!(hear(&mut feed).await, Heard::Entry(said, None));
}

/// A signal reaches those who follow, in order, and leaves no trace.
pub async fn signals_are_heard_and_not_stored(subject: &impl Subject) {
    let here = conversation(1);
    let mut feed = subject.log().follow(here).await.expect("it can be followed");
    for is_typing in [true, false] {
        let signal = typing(here, is_typing);
        subject.log().signal(&typing(conversation(2), is_typing)).await.expect("it is signalled");
        subject.log().signal(&signal).await.expect("it is signalled");
        assert_eq!(hear(&mut feed).await, Heard::Signal(signal));
    }
    // Nothing of it came between: this is the conversation's first event.
    let said = say(subject, here, 1).await;
    assert_eq!(subject.log().read(here, natter_model::id::Position::START, 9).await.expect("the log reads"), said);
    assert_eq!(hear(&mut feed).await, Heard::Entry(said[0].clone(), None));
}

/// A follower that does not keep up may miss events, and is told so.
pub async fn who_falls_behind_is_told(subject: &impl Subject) {
    let here = conversation(1);
    let mut feed = subject.log().follow(here).await.expect("it can be followed");
    for _ in 0..MORE_THAN_A_FEED_HOLDS {
        match subject.log().signal(&typing(here, true)).await {
            Ok(()) | Err(LogError::Unavailable(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    let missed = say(subject, here, 1).await.remove(0);
    loop {
        match hear(&mut feed).await {
            Heard::Signal(_) => {}
            Heard::Interrupted => break,
            Heard::Entry(entry, _) => {
                assert_eq!(entry, missed);
                break;
            }
        }
    }
    // Being behind passes: what comes now is heard.
    let said = say(subject, here, 1).await.remove(0);
    loop {
        match hear(&mut feed).await {
            Heard::Entry(entry, _) if entry == said => break,
            Heard::Entry(entry, _) => assert_eq!(entry, missed),
            Heard::Signal(_) | Heard::Interrupted => {}
        }
    }
}

/// Every event is heard by everybody who follows all, whatever the name; fillers say nothing.
pub async fn who_follows_all_hears_every_conversation(subject: &impl Subject) {
    let mut first = subject.log().follow_all("adapter").await.expect("all can be followed");
    let mut second = subject.log().follow_all("adapter").await.expect("all can be followed");
    let leaving = subject.log().follow_all("adapter").await.expect("all can be followed");
    drop(leaving);
    for n in 1..=3 {
        subject.append_raw(conversation(n), &record::encode_filler()).await;
        let said = say(subject, conversation(n), 1).await.remove(0);
        for feed in [&mut first, &mut second] {
            assert_eq!(hear(feed).await, Heard::Entry(said.clone(), None));
        }
    }
}

/// Those of another name hear it too.
pub async fn a_signal_goes_to_one_of_those_who_share(subject: &impl Subject) {
    let follow = async |name| subject.log().follow_all(name).await.expect("all can be followed");
    let (mut one, mut other, mut alone) = (follow("adapter").await, follow("adapter").await, follow("mirror").await);
    let n_signals = 20;
    for n in 1..=n_signals {
        subject.log().signal(&typing(conversation(n), true)).await.expect("it is signalled");
    }
    let everything: Vec<_> = (1..=n_signals).map(|n| Heard::Signal(typing(conversation(n), true))).collect();
    let (mut shared, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..n_signals {
        whole.push(hear(&mut alone).await);
        let heard = async {
            tokio::select! {
                heard = one.next() => heard,
                heard = other.next() => heard,
            }
        };
        shared.push(within(heard).await.expect("the feed goes on"));
    }
    assert_eq!(whole, everything);
    shared.sort_by_key(|heard| match heard {
        Heard::Signal(signal) => Some(signal.conversation),
        _ => None,
    });
    assert_eq!(shared, everything);
    let last = say(subject, conversation(1), 1).await.remove(0);
    for feed in [&mut one, &mut other, &mut alone] {
        assert_eq!(hear(feed).await, Heard::Entry(last.clone(), None), "nobody hears a signal twice");
    }
}
