//! Accounts and their refresh tokens.

use natter_model::id::AccountId;

use super::chatter::{account, at};
use crate::accounts::{Account, AccountStore, NewAccount, RefreshToken};
use crate::error::StoreError;
use crate::rights::RightsStore;

/// An account to be made.
pub(super) fn new_account(username: &str, email: &str) -> NewAccount {
    NewAccount {
        username: username.to_owned(),
        email: email.to_owned(),
        password_hash: "!".to_owned(),
        profile_types: vec!["trainer".to_owned(), "gym \"2\"".to_owned()],
    }
}

/// The id of a new account.
pub(super) async fn created(store: &impl AccountStore, username: &str) -> AccountId {
    let id = store.create_account(&new_account(username, "")).await.expect("the store takes the account");
    id.expect("the username is free")
}

/// An account as another system had it.
pub(super) fn existing(id: u64, username: &str) -> Account {
    Account {
        id: account(id),
        username: username.to_owned(),
        email: String::new(),
        password_hash: "!".to_owned(),
        is_active: false,
        profile_types: Vec::new(),
    }
}

/// With all it was made of.
pub async fn an_account_is_found_by_id_and_name(store: &impl AccountStore) {
    let new = new_account("Ana", "ana@example.com");
    let id = store.create_account(&new).await.expect("the store takes the account").expect("the username is free");
    let found = store.account(id).await.expect("the store answers").expect("it is there");
    assert_eq!((found.username.as_str(), found.email.as_str(), found.is_active), ("Ana", "ana@example.com", true));
    assert_eq!((&found.password_hash, &found.profile_types), (&new.password_hash, &new.profile_types));
    assert_eq!(store.account_by_username("Ana").await.expect("the store answers"), Some(found));
    for nobody in ["ana", "Ana ", "A%", "", "Ana\0"] {
        assert_eq!(store.account_by_username(nobody).await.expect("the store answers"), None, "{nobody:?}");
    }
    assert_eq!(store.account(account(999)).await.expect("the store answers"), None);
}

/// And a refused account uses no id up.
pub async fn a_username_is_given_once(store: &impl AccountStore) {
    let first = created(store, "ana").await;
    let again = store.create_account(&new_account("ana", "")).await.expect("the store answers");
    assert_eq!(again, None);
    assert_eq!(created(store, "bob").await.get(), first.get() + 1);
}

/// Too long, empty, or with what not every database stores; 150 characters are not too long.
pub async fn names_that_cannot_be_kept_are_refused(store: &impl AccountStore) {
    created(store, &"ü".repeat(150)).await;
    for (username, email) in [("", ""), ("a\0", ""), ("a", "\0"), ("ü".repeat(151).as_str(), "")] {
        let refused = store.create_account(&new_account(username, email)).await;
        assert!(matches!(refused, Err(StoreError::Rejected(_))), "{refused:?}");
    }
}

/// Several may share one; nobody has the empty one.
pub async fn emails_are_compared_without_regard_to_case(store: &impl AccountStore) {
    for (username, email) in [("ana", "Shared@Example.com"), ("bob", "shared@example.COM"), ("eve", "")] {
        store.create_account(&new_account(username, email)).await.expect("the store takes the account");
    }
    let found = async |email: &str| {
        let accounts = store.accounts_by_email(email).await.expect("the store answers");
        accounts.into_iter().map(|account| account.username).collect::<Vec<_>>()
    };
    assert_eq!(found("SHARED@example.com").await, ["ana", "bob"]);
    assert!(found("").await.is_empty());
    assert!(found("shared%").await.is_empty());
    assert!(found("\0").await.is_empty());
}

/// So that two who log in at once, or change the password meanwhile, do not undo each other.
pub async fn a_password_hash_is_replaced_only_if_it_is_still_the_old_one(store: &impl AccountStore) {
    let id = created(store, "ana").await;
    assert!(store.set_password_hash(id, "!", "new").await.expect("the store answers"));
    assert!(!store.set_password_hash(id, "!", "late").await.expect("the store answers"));
    assert!(!store.set_password_hash(account(999), "!", "nobody's").await.expect("the store answers"));
    let found = store.account(id).await.expect("the store answers").expect("it is there");
    assert_eq!(found.password_hash, "new");
}

/// Whichever way round they are brought in.
pub async fn ids_continue_behind_imported_accounts(store: &impl AccountStore) {
    let import = async |accounts: &[Account]| store.import_accounts(accounts).await.expect("the store takes them");
    import(&[existing(1, "one")]).await;
    assert_eq!(created(store, "two").await, account(2));
    import(&[existing(41, "ana"), existing(40, "bob")]).await;
    assert_eq!(created(store, "next").await, account(42));
    import(&[existing(5, "low")]).await;
    assert_eq!(created(store, "after").await, account(43));
}

fn token(jti: &str, id: u64) -> RefreshToken {
    RefreshToken { jti: jti.to_owned(), account: account(id), expires_at: at(1) }
}

/// Whether it was recorded or not.
pub async fn a_refresh_token_is_revoked_once(store: &(impl AccountStore + RightsStore)) {
    let is_revoked = async |jti: &str| store.is_refresh_token_revoked(jti).await.expect("the store answers");
    let revoke = async |jti: &str| store.revoke_refresh_token(&token(jti, 2), None).await.expect("the store answers");
    store.record_refresh_token(&token("known", 2)).await.expect("the store takes the token");
    for jti in ["known", "foreign"] {
        assert!(!is_revoked(jti).await);
        assert!(revoke(jti).await);
        assert!(!revoke(jti).await);
        assert!(is_revoked(jti).await);
        store.record_refresh_token(&token(jti, 2)).await.expect("the store takes the token");
        assert!(is_revoked(jti).await, "recording it again does not bring it back");
    }
    assert!(!is_revoked("\0").await);
}
