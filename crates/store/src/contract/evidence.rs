//! Showing what the rows bear witness of.

use std::collections::BTreeSet;

use natter_model::id::Position;

use super::chatter::{ana, bob, conversation, deleted, edited, entry, entry_in, message, posted, read, relayed};
use crate::batch::Changes;
use crate::evidence::Evidence;
use crate::fold::State;

/// Everything is found by the positions that it speaks of.
pub async fn what_is_stored_is_found_by_position(store: &impl Evidence) {
    let log = [
        entry(9, ana(), relayed(5, "zero")),
        entry(10, ana(), posted("one")),
        entry(11, ana(), posted("two")),
        entry(12, ana(), edited(10, "one, edited")),
        entry(13, bob(), read(11)),
        entry_in(2, 14, bob(), natter_model::event::Body::ConversationDeleted),
    ];
    store.apply(&log).await.expect("the store takes them");
    store.quarantine(Position::new(15), b"what", "why").await.expect("the store takes it");

    let ids = async |range| {
        let rows = store.rows(range).await.expect("the store answers");
        rows.iter().map(|row| row.id.get()).collect::<Vec<_>>()
    };
    assert_eq!(ids(10..=11).await, [10, 11]);
    assert_eq!(ids(11..=20).await, [11]);
    assert_eq!((ids(9..=9).await, ids(5..=5).await), (vec![5], Vec::new()));
    let named = store.rows_named(5..=10).await.expect("the store answers");
    assert_eq!(named.iter().map(|row| row.id.get()).collect::<BTreeSet<_>>(), BTreeSet::from([5, 10]));
    let some = store.rows_of(&[message(11), message(12)]).await.expect("the store answers");
    assert_eq!(some.iter().map(|row| row.id.get()).collect::<Vec<_>>(), [11]);
    let touched = store.touched(12..=20).await.expect("the store answers");
    assert_eq!(touched.iter().map(|row| row.id.get()).collect::<Vec<_>>(), [10, 11]);
    let State::Posted(posted) = &touched[0].state else { panic!("it is posted: {touched:?}") };
    assert_eq!((posted.event, posted.edited_seq), (Some(log[1].event.id), Position::new(12)));
    let marks = store.marks(13..=13).await.expect("the store answers");
    assert_eq!(marks.iter().map(|mark| (mark.account, mark.message.get())).collect::<Vec<_>>(), [(bob().id, 11)]);
    assert!(store.marks(14..=20).await.expect("the store answers").is_empty());
    let erasures = store.erasures(10..=20).await.expect("the store answers");
    let erasures: Vec<_> =
        erasures.into_iter().map(|(conversation, erasure)| (conversation, erasure.erased_seq)).collect();
    assert_eq!(erasures, [(conversation(2), Position::new(14))]);
    let quarantined = store.quarantined(0..=u64::MAX).await.expect("the store answers");
    assert_eq!(quarantined.into_iter().collect::<Vec<_>>(), [(Position::new(15), vec![b"what".to_vec()])]);
}

/// What was applied would change nothing; of what was not, only that would change, and a dry run changes nothing.
pub async fn a_dry_run_tells_what_is_missing(store: &impl Evidence) {
    let log = [
        entry(10, ana(), posted("one")),
        entry(11, ana(), edited(10, "one, edited")),
        entry(12, ana(), deleted(10)),
        entry(13, ana(), posted("two")),
        entry(14, bob(), read(13)),
        entry_in(2, 15, bob(), natter_model::event::Body::ConversationDeleted),
    ];
    let (missing, applied) = log.split_at(1);
    store.apply(applied).await.expect("the store takes them");
    for _ in 0..2 {
        let changes = store.dry_run(applied).await.expect("the store answers");
        assert_eq!(changes, Changes::default());
        let changes = store.dry_run(missing).await.expect("the store answers");
        assert_eq!(changes.updates.iter().map(|row| row.id.get()).collect::<Vec<_>>(), [10]);
    }
    store.apply(missing).await.expect("the store takes it");
    assert_eq!(store.dry_run(&log).await.expect("the store answers"), Changes::default());
    let mark = [entry(16, ana(), read(13))];
    let changes = store.dry_run(&mark).await.expect("the store answers");
    assert_eq!((changes.marks.len(), changes.updates.len()), (1, 1));
}
