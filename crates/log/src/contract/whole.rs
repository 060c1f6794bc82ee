//! The log as a whole: its ends, all its records, and going backwards.

use std::time::Duration;

use natter_model::id::Position;
use natter_proto::record;

use super::Subject;
use super::fixtures::{GARBAGE, conversation, positions_of, posted, say, within};
use crate::mend::Substitute;
use crate::port::{Delivery, LogError};

async fn last(subject: &impl Subject) -> Position {
    subject.log().last().await.expect("the log answers")
}

async fn oldest(subject: &impl Subject) -> Position {
    subject.log().oldest().await.expect("the log answers")
}

fn behind(position: Position) -> Position {
    Position::new(position.get() + 1)
}

/// An empty log ends before its first record; a log that has lost none goes back to before it.
pub async fn the_ends_are_known(subject: &impl Subject, first: Position) {
    let before = Position::new(first.get() - 1);
    assert_eq!((oldest(subject).await, last(subject).await), (before, before));
    for n in 0..3 {
        let said = say(subject, conversation(n + 1), 1).await;
        assert_eq!((oldest(subject).await, last(subject).await), (before, said[0].position));
    }
}

/// All records come, page by page, whatever they are and wherever they belong.
pub async fn a_scan_tells_everything(subject: &impl Subject) {
    let mut positions = Vec::new();
    let mut said = Vec::new();
    for n in 1..=3 {
        said.extend(say(subject, conversation(n), 2).await);
        positions.extend(said[said.len() - 2..].iter().map(|entry| entry.position));
    }
    let garbage = subject.append_raw(conversation(1), GARBAGE).await;
    let filler = subject.append_raw(conversation(2), &record::encode_filler()).await;
    positions.extend([garbage, filler]);
    let scan = async |after, limit| subject.log().scan(after, limit).await.expect("the log reads");

    let mut scanned: Vec<Delivery> = Vec::new();
    for n_expected in [3, 3, 2] {
        let page = scan(scanned.last().map_or(Position::START, Delivery::position), 3).await;
        assert_eq!(page.len(), n_expected);
        scanned.extend(page);
    }
    assert_eq!(positions_of(&scanned), positions);
    for (delivery, said) in scanned.iter().zip(&said) {
        assert!(matches!(delivery, Delivery::Entry(entry, _) if entry.event == said.event), "{delivery:?}");
    }
    assert!(matches!(&scanned[6], Delivery::Unreadable { bytes, .. } if bytes == GARBAGE), "{:?}", scanned[6]);
    assert!(matches!(&scanned[7], Delivery::Filler { .. }), "{:?}", scanned[7]);
    assert_eq!(scan(filler, 3).await.len(), 0);
    assert_eq!(scan(Position::new(1 << 40), 3).await.len(), 0);
}

/// A filler is in nobody's conversation, and the backlog delivers it as what it is.
pub async fn a_filler_says_nothing(subject: &impl Subject) {
    let here = conversation(1);
    let filler = subject.append_raw(here, &record::encode_filler()).await;
    let said = say(subject, here, 1).await;
    assert_eq!(subject.log().entry(filler).await.expect("the log answers"), None);
    let read = subject.log().read(here, filler, 9).await.expect("the log reads");
    assert_eq!(read.iter().map(|entry| &entry.event).collect::<Vec<_>>(), [&said[0].event]);
    let mut consumer = subject.backlog().consume().await.expect("there is a backlog");
    let deliveries = within(consumer.next(1)).await.expect("it delivers");
    assert!(matches!(deliveries[..], [Delivery::Filler { position }] if position == filler), "{deliveries:?}");
}

/// A log that ends before a position it is known to have been at takes and hands out nothing, and tells both
/// positions. Once it is past that one, it is as before.
pub async fn a_log_that_went_backwards_says_so(subject: &impl Subject) {
    let here = conversation(1);
    let found = say(subject, here, 1).await[0].position;
    subject.log().expect_at_least(found);
    let found = behind(found);
    assert_eq!(say(subject, here, 1).await[0].position, found, "what is there already is no news");

    let known = behind(behind(found));
    subject.log().expect_at_least(known);
    let went_backwards = |error: &LogError| matches!(error, LogError::WentBackwards { known: k, found: f } if (*k, *f) == (known, found));
    let refused = subject.log().append(&posted(here, "refused")).await.expect_err("it would use a position again");
    assert!(went_backwards(&refused), "{refused:?}");
    assert!(refused.to_string().contains(&known.to_string()) && refused.to_string().contains("natter repair"));
    let refused = subject.log().oldest().await.expect_err("nobody knows what is lost");
    assert!(went_backwards(&refused), "{refused:?}");
    let mut consumer = subject.backlog().consume().await.expect("there is a backlog");
    let refused = within(consumer.next(9)).await.expect_err("it hands out nothing");
    assert!(went_backwards(&refused), "{refused:?}");
    let read = subject.log().read(here, Position::START, 9).await.expect("it can be read");
    assert_eq!(read.len(), 2);

    for _ in 0..2 {
        subject.append_raw(here, GARBAGE).await;
    }
    let event = posted(here, "taken");
    let taken = within(async {
        loop {
            match subject.log().append(&event).await {
                Err(LogError::WentBackwards { .. }) => tokio::time::sleep(Duration::from_millis(20)).await,
                other => return other.expect("the log takes it"),
            }
        }
    })
    .await;
    assert_eq!((taken.position, taken.duplicate), (behind(known), false));
    let mut n_delivered = 0;
    while n_delivered < 5 {
        n_delivered += within(consumer.next(9)).await.expect("it delivers").len();
    }
}

/// Each substitute stands where it was wanted, also one whose id the log remembers, and the log is as it was.
pub async fn what_is_lost_is_put_back_exactly_there(subject: &impl Subject) {
    let (here, there) = (conversation(1), conversation(2));
    let said = say(subject, here, 2).await;
    let last = said[1].position;
    subject.log().expect_at_least(Position::new(last.get() + 300));
    // Of another place, such as one where somebody sent it again.
    let again = Substitute::Event(said[0].event.clone());
    let lost = Substitute::Event(posted(there, "lost"));
    let substitutes = [Substitute::Filler, lost.clone(), again.clone(), Substitute::Filler];
    let all = substitutes.iter().cycle().take(4).cloned().chain(vec![Substitute::Filler; 296]).collect::<Vec<_>>();
    let mut n_put = 0;
    while n_put < all.len() {
        let next = Position::new(last.get() + n_put as u64);
        let stand = within(subject.mend().put_back(next, &all[n_put..])).await.expect("the log takes them");
        assert!(stand[0], "nobody else is here");
        n_put += stand.iter().take_while(|stands| **stands).count();
    }
    let scanned = subject.log().scan(last, 1000).await.expect("the log reads");
    let expected = (last.get() + 1..).take(300).map(Position::new).collect::<Vec<_>>();
    assert_eq!(positions_of(&scanned), expected);
    for (delivery, substitute) in scanned.iter().zip(&all) {
        match (delivery, substitute) {
            (Delivery::Filler { .. }, Substitute::Filler) => {}
            (Delivery::Entry(entry, _), Substitute::Event(event)) => assert_eq!(entry.event, *event),
            other => panic!("{other:?}"),
        }
    }
    let read = subject.log().read(there, Position::START, 9).await.expect("the log reads");
    assert_eq!(read.len(), 1);

    let event = posted(here, "goes on");
    let appended = within(async {
        loop {
            match subject.log().append(&event).await {
                Err(LogError::WentBackwards { .. }) => tokio::time::sleep(Duration::from_millis(20)).await,
                other => return other.expect("the log takes it"),
            }
        }
    })
    .await;
    assert_eq!(appended.position.get(), last.get() + 301);
}

/// Nothing is put elsewhere than where it was wanted.
pub async fn what_came_between_stays(subject: &impl Subject) {
    let said = say(subject, conversation(1), 3).await;
    for last in [said[1].position, behind(said[2].position)] {
        let put = subject.mend().put_back(last, &[Substitute::Filler]).await.expect("the log answers");
        assert_eq!(put, [false]);
    }
    let scanned = subject.log().scan(Position::START, 9).await.expect("the log reads");
    assert_eq!(positions_of(&scanned), said.iter().map(|entry| entry.position).collect::<Vec<_>>());
}
