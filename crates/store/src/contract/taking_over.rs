//! Accounts and conversations of another system.

use natter_model::timestamp::Timestamp;

use super::chatter::{account, at, conversation};
use super::conversations::{existing, start};
use super::logins::{created, existing as person};
use crate::accounts::{Account, AccountStore, Conversation, Imported, KnownToken, RefreshToken};
use crate::rights::RightsStore;

async fn takes(store: &impl AccountStore, accounts: &[Account]) -> Imported {
    store.import_accounts(accounts).await.expect("the store takes the accounts")
}

async fn takes_rooms(store: &impl AccountStore, conversations: &[Conversation]) -> Imported {
    store.import_conversations(conversations).await.expect("the store takes the conversations")
}

fn ids(imported: &Imported) -> Vec<u64> {
    imported.refused.iter().map(|refused| refused.id).collect()
}

async fn found(store: &impl AccountStore, id: u64) -> Option<Account> {
    store.account(account(id)).await.expect("the store answers")
}

/// In every part, and what has not changed is not counted.
pub async fn an_account_that_is_brought_again_becomes_as_it_is_there(store: &impl AccountStore) {
    let ana = person(40, "ana");
    assert_eq!(takes(store, &[ana.clone(), person(41, "bob")]).await.n_changed, 2);
    assert_eq!(takes(store, &[ana.clone(), person(41, "bob")]).await, Imported::default());
    let changes = [
        Account { username: "Ana".to_owned(), ..ana.clone() },
        Account { email: "Ana@example.com".to_owned(), ..ana.clone() },
        Account { email: "ana@example.com".to_owned(), ..ana.clone() },
        Account { password_hash: "new".to_owned(), ..ana.clone() },
        Account { is_active: !ana.is_active, ..ana.clone() },
        Account { profile_types: vec!["gym, \"2\"".to_owned(), "trainer".to_owned()], ..ana.clone() },
    ];
    for changed in changes {
        assert_eq!(takes(store, std::slice::from_ref(&changed)).await.n_changed, 1);
        assert_eq!(found(store, 40).await, Some(changed));
    }
}

/// By name; the others come in.
pub async fn a_username_that_somebody_else_has_is_refused(store: &impl AccountStore) {
    takes(store, &[person(40, "ana")]).await;
    let imported = takes(store, &[person(50, "fifty"), person(51, "ana"), person(52, "last")]).await;
    assert_eq!((imported.n_changed, ids(&imported)), (2, vec![51]));
    assert_eq!(found(store, 51).await, None);
    assert_eq!(found(store, 52).await, Some(person(52, "last")));
    takes(store, &[person(40, "anastasia")]).await;
    assert_eq!(takes(store, &[person(51, "ana")]).await.n_changed, 1, "the name is free now");
}

/// Of both kinds. Once is enough, and it never goes back.
pub async fn reserved_ids_are_passed_over(store: &impl AccountStore) {
    let reserve = async |below| store.reserve_ids(below).await.expect("the store answers");
    assert!(reserve(1).await);
    assert!(reserve(1000).await);
    takes(store, &[person(7, "ana"), person(8, "bob")]).await;
    takes_rooms(store, &[existing(9, &[(account(7), "ana")])]).await;
    assert_eq!(start(store, account(7), account(8)).await.conversation.id, conversation(1000));
    assert_eq!(created(store, "eve").await, account(1000));
    assert!(reserve(1000).await);
    assert!(reserve(500).await);
    assert_eq!(created(store, "next").await, account(1001));
}

/// Else one id could come to mean two.
pub async fn ids_that_were_given_out_cannot_be_reserved(store: &impl AccountStore) {
    created(store, "ana").await;
    assert!(!store.reserve_ids(1000).await.expect("the store answers"));
    assert_eq!(created(store, "bob").await, account(2));
}

/// Nobody who was removed comes back.
pub async fn a_conversation_that_is_brought_again_gets_who_is_missing(store: &(impl AccountStore + RightsStore)) {
    let (ana, bob, eve) = (created(store, "ana").await, created(store, "bob").await, created(store, "eve").await);
    let whole = existing(40, &[(ana, "ana"), (bob, "bob"), (eve, "eve")]);
    let pair = existing(40, &[(ana, "ana"), (bob, "bob")]);
    assert_eq!(takes_rooms(store, std::slice::from_ref(&pair)).await.n_changed, 1);
    assert_eq!(takes_rooms(store, &[whole.clone(), existing(41, &[])]).await.n_changed, 2);
    assert_eq!(takes_rooms(store, &[whole.clone(), pair.clone()]).await, Imported::default());
    let found = async || store.conversation(conversation(40)).await.expect("the store answers");
    assert_eq!(found().await, Some(whole.clone()));
    store.remove_participant(conversation(40), eve, Timestamp::from_micros(i64::MAX / 2)).await.expect("it is done");
    assert_eq!(takes_rooms(store, std::slice::from_ref(&whole)).await, Imported::default());
    assert_eq!(found().await, Some(pair.clone()));
    let older = Conversation { created_at: at(3), ..pair };
    assert_eq!(takes_rooms(store, std::slice::from_ref(&older)).await.n_changed, 1);
    assert_eq!(found().await, Some(older));
}

/// The others come in.
pub async fn a_conversation_with_a_stranger_is_refused(store: &impl AccountStore) {
    let ana = created(store, "ana").await;
    let strange = existing(41, &[(ana, "ana"), (account(999), "nobody")]);
    let imported = takes_rooms(store, &[existing(40, &[(ana, "ana")]), strange, existing(42, &[])]).await;
    assert_eq!((imported.n_changed, ids(&imported)), (2, vec![41]));
    assert_eq!(store.conversation(conversation(41)).await.expect("the store answers"), None);
}

/// Wherever it was revoked.
pub async fn a_revoked_refresh_token_stays_revoked(store: &(impl AccountStore + RightsStore)) {
    let known = |jti: &str, is_revoked| KnownToken {
        token: RefreshToken { jti: jti.to_owned(), account: account(2), expires_at: at(1) },
        is_revoked,
    };
    let take = async |tokens: &[KnownToken]| {
        store.import_refresh_tokens(tokens).await.expect("the store takes the tokens").n_changed
    };
    let is_revoked = async |jti: &str| store.is_refresh_token_revoked(jti).await.expect("the store answers");
    assert_eq!(take(&[known("good", false), known("taken back", true), known("later", false)]).await, 3);
    assert_eq!((is_revoked("good").await, is_revoked("taken back").await), (false, true));
    store.revoke_refresh_token(&known("good", false).token, None).await.expect("the store answers");
    assert_eq!(take(&[known("good", false), known("taken back", false), known("later", true)]).await, 1);
    for jti in ["good", "taken back", "later"] {
        assert!(is_revoked(jti).await, "{jti}");
    }
}

/// By id, whoever they are.
pub async fn all_accounts_are_told_page_by_page(store: &impl AccountStore) {
    let all = [person(3, "c"), person(5, "a"), person(9, "b")];
    takes(store, &all).await;
    let page = async |after: Option<u64>, limit| {
        store.accounts_after(after.map(account), limit).await.expect("the store answers")
    };
    assert_eq!(page(None, 2).await, all[..2]);
    assert_eq!(page(Some(5), 2).await, all[2..]);
    assert_eq!(page(Some(9), 2).await, []);
}
