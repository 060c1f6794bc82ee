//! Messages of another system.

use natter_model::event::Body;

use super::chatter::{ana, at, bob, conversation, edited, entry, message, posted, read};
use super::folding::{applies, stored};
use crate::error::StoreError;
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
    store.import(messages).await.expect("the store takes the messages");
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
    let refused = store.import(&[imported(3), Message { content: Some("\0".to_owned()), ..imported(4) }]).await;
    assert!(matches!(refused, Err(StoreError::Rejected(_))), "{refused:?}");
    assert_eq!(store.message(message(3)).await.expect("the store answers"), None);
}

/// Also not what the log said since.
pub async fn importing_again_changes_nothing(store: &impl MessageStore) {
    imports(store, &[imported(1)]).await;
    applies(store, &[entry(10, ana(), edited(1, "edited"))]).await;
    imports(store, &[imported(1), imported(2)]).await;
    assert_eq!(stored(store, 1).await.content.as_deref(), Some("edited"));
    assert_eq!(stored(store, 2).await, imported(2));
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
    imports(store, &[imported(3)]).await;
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
}
