//! Messages of another system.

use std::collections::BTreeSet;

use natter_model::event::Body;
use natter_model::id::Position;
use proptest::test_runner::TestRunner;

use super::bygones::{Step, interleaved, snapshots};
use super::chatter::{ana, at, bob, conversation, deleted, edited, entry, entry_in, message, posted, read, relayed};
use super::folding::{adds_up_to, applies, example, sample, stored};
use super::logs::log;
use super::reference::Reference;
use crate::messages::{Message, MessageStore};

/// A message as another system had it.
pub(super) fn imported(id: u64) -> Message {
    Message {
        id: message(id),
        conversation: conversation(1),
        sender: ana().id,
        sender_name: "ana".to_owned(),
        content: Some("  as it was ".to_owned()),
        attachment: None,
        timestamp: at(id),
        is_read: false,
        read_at: None,
        is_deleted: false,
        edited_at: None,
    }
}

/// The store takes them over.
pub(super) async fn imports(store: &impl MessageStore, messages: &[Message]) {
    assert_eq!(store.import(messages).await.expect("the store takes the messages"), []);
}

/// To the letter, whatever the other system allowed.
pub async fn imported_messages_are_kept_as_they_are(store: &impl MessageStore) {
    let odd = Message {
        content: None,
        attachment: Some("chat/a.pdf".to_owned()),
        is_read: true,
        read_at: Some(at(50)),
        is_deleted: true,
        edited_at: Some(at(40)),
        ..imported(2)
    };
    imports(store, &[imported(1), odd.clone()]).await;
    assert_eq!(stored(store, 1).await, imported(1));
    assert_eq!(stored(store, 2).await, odd);
    assert_eq!(store.highest_given().await.expect("the store answers"), Some(message(2)));
    let many: Vec<_> = (100..12_100).map(imported).collect();
    imports(store, &many).await;
    assert_eq!(stored(store, 12_099).await, imported(12_099));
}

/// Whether that came before or since.
pub async fn importing_again_brings_what_the_log_has_not_decided(store: &impl MessageStore) {
    imports(store, &[imported(1), imported(2), imported(3)]).await;
    applies(store, &[entry(10, ana(), edited(1, "edited")), entry(11, bob(), read(2)), entry(12, ana(), deleted(3))])
        .await;
    let later = |id| Message {
        content: Some("edited there".to_owned()),
        edited_at: Some(at(50)),
        is_read: true,
        read_at: Some(at(51)),
        ..imported(id)
    };
    imports(store, &[later(1), later(2), later(3), later(4)]).await;
    let expected = Message { content: Some("edited".to_owned()), edited_at: Some(at(10)), ..later(1) };
    assert_eq!(stored(store, 1).await, expected);
    assert_eq!(stored(store, 2).await, Message { read_at: Some(at(11)), ..later(2) });
    let expected = Message { content: Some(String::new()), is_deleted: true, ..later(3) };
    assert_eq!(stored(store, 3).await, expected);
    assert_eq!(stored(store, 4).await, later(4));
    applies(store, &[entry(13, ana(), edited(4, "edited here"))]).await;
    imports(store, &[later(4)]).await;
    assert_eq!(stored(store, 4).await.content.as_deref(), Some("edited here"));
}

/// No import brings a message back, and no edit.
pub async fn deleted_is_deleted_whoever_said_so(store: &impl MessageStore) {
    let gone = |id| Message { is_deleted: true, content: Some(String::new()), ..imported(id) };
    imports(store, &[gone(1), imported(2)]).await;
    applies(store, &[entry(10, ana(), edited(1, "too late")), entry(11, ana(), edited(2, "in time"))]).await;
    imports(store, &[imported(1), gone(2)]).await;
    for id in [1, 2] {
        let message = stored(store, id).await;
        assert_eq!((message.is_deleted, message.content.as_deref()), (true, Some("")), "{id}");
    }
}

/// All others are taken.
pub async fn what_does_not_fit_is_named_and_left_out(store: &impl MessageStore) {
    imports(store, &[imported(6)]).await;
    let log = [
        entry(5, bob(), posted("ours")),
        entry(7, ana(), posted("ours")),
        entry_in(2, 10, ana(), Body::ConversationDeleted),
    ];
    applies(store, &log).await;
    let refused = store
        .import(&[
            imported(1),
            Message { content: Some("\0".to_owned()), ..imported(2) },
            Message { conversation: conversation(2), ..imported(3) },
            imported(4),
            imported(5),
            Message { sender: bob().id, ..imported(6) },
            imported(7),
        ])
        .await
        .expect("the store takes the messages");
    assert_eq!(refused.iter().map(|refused| refused.id.get()).collect::<BTreeSet<_>>(), BTreeSet::from([2, 3, 5, 6]));
    for id in [1, 4, 6] {
        assert_eq!(stored(store, id).await, imported(id));
    }
    for id in [2, 3] {
        assert_eq!(store.message(message(id)).await.expect("the store answers"), None);
    }
    for id in [5, 7] {
        assert_eq!(stored(store, id).await.content.as_deref(), Some("ours"), "of what the log said it knows best");
    }
}

/// It says where the message stands, and nothing else; the other way round the import says all else.
pub async fn a_relayed_post_meets_an_imported_message(store: &impl MessageStore) {
    let edited_there = Message { content: Some("edited there".to_owned()), edited_at: Some(at(50)), ..imported(1) };
    let relayed_in = |position, id| entry(position, ana(), relayed(id, "as it was"));
    imports(store, std::slice::from_ref(&edited_there)).await;
    applies(store, &[relayed_in(10, 1), relayed_in(11, 2)]).await;
    imports(store, &[Message { id: message(2), ..edited_there.clone() }]).await;
    for (id, position) in [(1, 10), (2, 11)] {
        assert_eq!(stored(store, id).await, Message { id: message(id), ..edited_there.clone() });
        let since = Position::new(position - 1);
        let told = store.changes(conversation(1), since, Position::new(position), 9).await.expect("the store answers");
        let told: Vec<_> = told.iter().map(|entry| (entry.position.get(), entry.message_id())).collect();
        assert_eq!(told, [(position, Some(message(id)))]);
    }
    let other = store.apply(&[entry(12, bob(), relayed(1, "by another"))]).await.expect("the store takes the batch");
    assert_eq!(other, [], "the event is known");
    imports(store, &[imported(3)]).await;
    let other = store.apply(&[entry(13, bob(), relayed(3, "by another"))]).await.expect("the store takes the batch");
    assert_eq!(other.len(), 1, "the id is somebody else's");
}

/// Like any other, also if the events came first.
pub async fn imported_messages_can_be_edited_read_and_erased(store: &impl MessageStore) {
    applies(store, &[entry(10, ana(), edited(1, "edited")), entry(11, bob(), read(2))]).await;
    imports(store, &[imported(1), imported(2)]).await;
    assert_eq!(stored(store, 1).await.content.as_deref(), Some("edited"));
    assert_eq!(stored(store, 2).await.read_at, Some(at(11)));
    let misfits = store.apply(&[entry(2, bob(), posted("in its place"))]).await.expect("the store takes the batch");
    assert_eq!(misfits.len(), 1, "the log began before the imported ids ended");
    applies(store, &[entry(12, ana(), Body::ConversationDeleted)]).await;
    let refused = store.import(&[imported(1), imported(3)]).await.expect("the store takes the messages");
    assert_eq!(refused.len(), 2);
    for id in 1..=3 {
        assert_eq!(store.message(message(id)).await.expect("the store answers"), None);
    }
}

/// By everybody: the other system kept no marks.
pub async fn imported_messages_that_were_read_count_as_read(store: &impl MessageStore) {
    let was_read = Message { is_read: true, read_at: Some(at(9)), ..imported(1) };
    imports(store, &[was_read, imported(2), imported(3)]).await;
    let unread =
        async || store.summaries(bob().id, &[conversation(1)], 0).await.expect("the store answers")[0].unread_count;
    assert_eq!(unread().await, 2);
    applies(store, &[entry(10, bob(), read(2))]).await;
    assert_eq!(unread().await, 1);
    imports(store, &[Message { is_read: true, ..imported(3) }]).await;
    assert_eq!(unread().await, 0);
    // However it came, and whoever else has read it.
    applies(store, &[entry(11, ana(), relayed(3, "as it was")), entry(12, ana(), read(3))]).await;
    assert_eq!(unread().await, 0);
}

/// Whichever way round, in parts or again.
pub async fn imports_and_entries_in_any_order_give_the_same_rows(store: &impl MessageStore) {
    let mut runner = TestRunner::deterministic();
    for round in 0..6 {
        let log = example(&mut runner, log(60), round);
        let imports = sample(&mut runner, snapshots(&log, round));
        for step in sample(&mut runner, interleaved(log.clone(), imports.clone())) {
            match step {
                Step::Log(entries) => applies(store, &entries).await,
                Step::Import(messages) => drop(store.import(&messages).await.expect("the store takes the messages")),
            }
        }
        adds_up_to(store, &log, &Reference::with_imports(&imports[1], &log)).await;
    }
}
