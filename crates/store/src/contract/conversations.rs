//! Conversations and who takes part in them.

use natter_model::id::AccountId;

use super::chatter::{account, at, conversation};
use super::logins::created;
use crate::accounts::{AccountStore, Conversation, Participant, Started};
use crate::error::StoreError;

/// The store starts it, or finds it.
pub(super) async fn start(store: &impl AccountStore, one: AccountId, other: AccountId) -> Started {
    store.start_conversation(one, other).await.expect("the store starts the conversation")
}

/// A conversation as another system had it.
pub(super) fn existing(id: u64, participants: &[(AccountId, &str)]) -> Conversation {
    let participants = participants.iter().map(|(id, name)| Participant { id: *id, username: (*name).to_owned() });
    Conversation { id: conversation(id), created_at: at(id), participants: participants.collect() }
}

async fn import(store: &impl AccountStore, conversations: &[Conversation]) {
    store.import_conversations(conversations).await.expect("the store takes the conversations");
}

/// Whoever of the two asks; participants come by id.
pub async fn a_conversation_is_started_once(store: &impl AccountStore) {
    let (ana, bob) = (created(store, "ana").await, created(store, "bob").await);
    let first = start(store, bob, ana).await;
    assert!(first.created);
    assert_eq!(first.conversation.id, conversation(1));
    let participants: Vec<_> = first.conversation.participants.iter().map(|participant| participant.id).collect();
    assert_eq!(participants, [ana, bob]);
    let again = start(store, ana, bob).await;
    assert_eq!(again, Started { conversation: first.conversation.clone(), created: false });
    let found = store.conversation(first.conversation.id).await.expect("the store answers");
    assert_eq!(found, Some(first.conversation));
}

/// One of many starts it, the others find it.
pub async fn two_who_start_at_once_share_one_conversation(store: &impl AccountStore) {
    for round in 0..5 {
        let ana = created(store, &format!("ana {round}")).await;
        let bob = created(store, &format!("bob {round}")).await;
        let (a, b, c, d) = tokio::join!(
            start(store, ana, bob),
            start(store, bob, ana),
            start(store, ana, bob),
            start(store, bob, ana)
        );
        let all = [a, b, c, d];
        assert_eq!(all.iter().filter(|started| started.created).count(), 1);
        assert!(all.iter().all(|started| started.conversation == all[0].conversation));
    }
}

/// Else it is refused, and no conversation is left behind.
pub async fn a_conversation_needs_two_who_exist(store: &impl AccountStore) {
    let ana = created(store, "ana").await;
    for other in [ana, account(999)] {
        let refused = store.start_conversation(ana, other).await;
        assert!(matches!(refused, Err(StoreError::Rejected(_))), "{refused:?}");
    }
    assert_eq!(store.conversations_of(ana, None).await.expect("the store answers"), []);
}

/// Also one of three.
pub async fn the_lowest_conversation_that_holds_both_is_found(store: &impl AccountStore) {
    let (ana, bob, eve) = (created(store, "ana").await, created(store, "bob").await, created(store, "eve").await);
    import(store, &[existing(9, &[(ana, "ana"), (bob, "bob")])]).await;
    import(store, &[existing(7, &[(ana, "ana"), (bob, "bob"), (eve, "eve")])]).await;
    assert_eq!(start(store, bob, ana).await.conversation.id, conversation(7));
}

/// The next one has another.
pub async fn a_deleted_conversation_is_gone_and_its_id_too(store: &impl AccountStore) {
    let (ana, bob) = (created(store, "ana").await, created(store, "bob").await);
    let id = start(store, ana, bob).await.conversation.id;
    assert!(store.delete_conversation(id).await.expect("the store answers"));
    assert!(!store.delete_conversation(id).await.expect("the store answers"));
    assert_eq!(store.conversation(id).await.expect("the store answers"), None);
    assert_eq!(store.conversations_of(ana, None).await.expect("the store answers"), []);
    let next = start(store, ana, bob).await;
    assert!(next.created && next.conversation.id > id);
}

/// A conversation may be empty.
pub async fn ids_continue_behind_imported_conversations(store: &impl AccountStore) {
    let (ana, bob) = (created(store, "ana").await, created(store, "bob").await);
    import(store, &[existing(40, &[(ana, "ana")]), existing(1, &[])]).await;
    assert_eq!(start(store, ana, bob).await.conversation.id, conversation(41));
    let found = async |id| store.conversation(conversation(id)).await.expect("the store answers");
    assert_eq!(found(40).await, Some(existing(40, &[(ana, "ana")])));
    assert_eq!(found(1).await, Some(existing(1, &[])));
}

/// Of the account that asks, with everybody in them.
pub async fn conversations_are_listed_by_id(store: &impl AccountStore) {
    let (ana, bob, eve) = (created(store, "ana").await, created(store, "bob").await, created(store, "eve").await);
    let third = existing(30, &[(ana, "ana"), (bob, "bob"), (eve, "eve")]);
    let first = existing(10, &[(ana, "ana"), (eve, "eve")]);
    import(store, &[third.clone(), first.clone(), existing(20, &[(bob, "bob"), (eve, "eve")])]).await;
    assert_eq!(store.conversations_of(ana, None).await.expect("the store answers"), [first, third]);
    assert_eq!(store.conversations_of(account(999), None).await.expect("the store answers"), []);
}

/// Of whomever, and whoever takes part; a page ends between two conversations.
pub async fn all_conversations_are_told_page_by_page(store: &impl AccountStore) {
    let (ana, bob, eve) = (created(store, "ana").await, created(store, "bob").await, created(store, "eve").await);
    let all = [
        existing(10, &[(ana, "ana"), (bob, "bob")]),
        existing(20, &[]),
        existing(30, &[(ana, "ana"), (bob, "bob"), (eve, "eve")]),
    ];
    import(store, &all).await;
    let page = async |after, limit| store.conversations_after(after, limit).await.expect("the store answers");
    assert_eq!(page(None, 2).await, all[..2]);
    assert_eq!(page(Some(conversation(20)), 2).await, all[2..]);
    assert_eq!(page(Some(conversation(9)), 1).await, all[..1]);
    assert_eq!(page(Some(conversation(30)), 2).await, []);
}

/// Anywhere in the name, without regard to case, and what looks like a pattern is none.
pub async fn conversations_are_searched_by_the_others_names(store: &impl AccountStore) {
    let me = created(store, "searcher_50%").await;
    for other in ["Jane_Smith", "jane.doe", "50%er", "ÖZGÜR"] {
        let other = created(store, other).await;
        start(store, me, other).await;
    }
    let found = async |text: &str| {
        let conversations = store.conversations_of(me, Some(text)).await.expect("the store answers");
        let others = conversations.into_iter().flat_map(|conversation| conversation.participants);
        others.filter(|participant| participant.id != me).map(|participant| participant.username).collect::<Vec<_>>()
    };
    assert_eq!(found("JANE").await, ["Jane_Smith", "jane.doe"]);
    assert_eq!(found("e_s").await, ["Jane_Smith"]);
    assert_eq!(found("%").await, ["50%er"]);
    assert_eq!(found("özgü").await, ["ÖZGÜR"]);
    assert_eq!(found("\\").await, [""; 0]);
    assert_eq!(found("\0").await, [""; 0]);
    assert_eq!(found("searcher").await, [""; 0], "one's own name does not count");
}
