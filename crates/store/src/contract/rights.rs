//! Rights that ended, and those who follow them.

use std::time::Duration;

use natter_model::id::AccountId;
use natter_model::timestamp::Timestamp;

use super::chatter::{account, at, conversation};
use super::logins::created;
use crate::accounts::{AccountStore, RefreshToken};
use crate::rights::{Change, Ended, Removal, RevokedToken, RevokedTokens, RightsStore};

const ANSWERS: &str = "the store answers";

/// In an hour.
fn later() -> Timestamp {
    Timestamp::now().after(Duration::from_secs(3600))
}

fn token(jti: &str) -> RevokedToken {
    RevokedToken { jti: jti.to_owned(), account: Some(account(2)), expires_at: later() }
}

fn all_of(id: u64, issued_up_to_s: i64) -> RevokedTokens {
    RevokedTokens { account: account(id), issued_up_to_s, expires_at: later() }
}

async fn is_revoked(store: &impl RightsStore, jti: &str, id: u64, issued_at_s: i64) -> bool {
    store.is_token_revoked(jti, account(id), issued_at_s).await.expect(ANSWERS)
}

async fn changes(store: &impl RightsStore, after: u64) -> Vec<Change> {
    store.changes(after, 1000).await.expect(ANSWERS)
}

/// Whoever's it is, also if that is unknown; a refresh token of that name is revoked with it.
pub async fn a_token_is_revoked_once(store: &(impl AccountStore + RightsStore)) {
    let refresh = RefreshToken { jti: "refresh".to_owned(), account: account(2), expires_at: later() };
    store.record_refresh_token(&refresh).await.expect(ANSWERS);
    for token in [token("access"), RevokedToken { account: None, ..token("foreign") }, token("refresh")] {
        assert!(!is_revoked(store, &token.jti, 2, 0).await);
        assert!(store.revoke_token(&token).await.expect(ANSWERS));
        assert!(!store.revoke_token(&token).await.expect(ANSWERS));
        assert!(is_revoked(store, &token.jti, 2, i64::MAX).await);
        assert_eq!(changes(store, 0).await.pop().map(|change| change.ended), Some(Ended::Token(token)));
    }
    assert!(store.is_refresh_token_revoked("refresh").await.expect(ANSWERS));
    assert!(!is_revoked(store, "other", 2, 0).await);
    assert!(!is_revoked(store, "\0", 2, 0).await);
}

/// Both or none: who is told that the refresh token was no good keeps the other.
pub async fn an_access_token_is_revoked_with_its_refresh_token(store: &(impl AccountStore + RightsStore)) {
    let refresh = RefreshToken { jti: "refresh".to_owned(), account: account(2), expires_at: later() };
    assert!(store.revoke_refresh_token(&refresh, Some(&token("first"))).await.expect(ANSWERS));
    assert!(!store.revoke_refresh_token(&refresh, Some(&token("second"))).await.expect(ANSWERS));
    assert!(is_revoked(store, "first", 2, 0).await);
    assert!(!is_revoked(store, "second", 2, 0).await);
}

/// And nobody else's, and none that was made later.
pub async fn all_tokens_up_to_a_second_are_revoked(store: &(impl AccountStore + RightsStore)) {
    for (jti, id) in [("a", 2), ("b", 2), ("c", 3)] {
        let token = RefreshToken { jti: jti.to_owned(), account: account(id), expires_at: later() };
        store.record_refresh_token(&token).await.expect(ANSWERS);
    }
    store.revoke_tokens_of(&all_of(2, 1000)).await.expect(ANSWERS);
    for (id, issued_at_s, expected) in [(2, 0, true), (2, 1000, true), (2, 1001, false), (3, 1000, false)] {
        assert_eq!(is_revoked(store, "x", id, issued_at_s).await, expected, "{id} {issued_at_s}");
    }
    for (jti, expected) in [("a", true), ("b", true), ("c", false)] {
        assert_eq!(store.is_refresh_token_revoked(jti).await.expect(ANSWERS), expected, "{jti}");
    }
    assert_eq!(store.revoked_up_to(account(2)).await.expect(ANSWERS), Some(1000));
    assert_eq!(store.revoked_up_to(account(3)).await.expect(ANSWERS), None);
}

/// The account too, be the token good or not.
pub async fn who_bears_a_token_is_told_with_whether_it_is_revoked(store: &(impl AccountStore + RightsStore)) {
    let ana = created(store, "ana").await;
    let account = store.account(ana).await.expect(ANSWERS).expect("she is there");
    let bearer = async |jti: &str, issued_at_s| store.bearer(ana, jti, issued_at_s).await.expect(ANSWERS);
    store.revoke_token(&token("stolen")).await.expect(ANSWERS);
    store.revoke_tokens_of(&RevokedTokens { account: ana, ..all_of(2, 1000) }).await.expect(ANSWERS);
    for (jti, issued_at_s, expected) in
        [("x", 1001, false), ("", i64::MAX, false), ("x", 1000, true), ("stolen", 1001, true)]
    {
        assert_eq!(bearer(jti, issued_at_s).await, Some((account.clone(), expected)), "{jti} {issued_at_s}");
    }
    let nobody = super::chatter::account(999);
    assert_eq!(store.bearer(nobody, "stolen", 0).await.expect(ANSWERS), None);
}

/// So that there is never more than one for an account.
pub async fn revoking_all_again_is_one_change_with_the_later_second(store: &(impl AccountStore + RightsStore)) {
    let mut seen = 0;
    for (issued_up_to_s, expected, is_new) in [(1000, 1000, true), (1002, 1002, true), (1001, 1002, false)] {
        store.revoke_tokens_of(&all_of(2, issued_up_to_s)).await.expect(ANSWERS);
        let all = changes(store, 0).await;
        let [Change { id, ended: Ended::Tokens(tokens) }] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!((tokens.issued_up_to_s, *id > seen), (expected, is_new));
        seen = *id;
    }
}

/// The others stay.
pub async fn a_participant_is_removed_once(store: &(impl AccountStore + RightsStore)) {
    let (ana, bob, eve) = (created(store, "ana").await, created(store, "bob").await, created(store, "eve").await);
    let here = store.start_conversation(ana, bob).await.expect(ANSWERS).conversation.id;
    let remove = async |conversation, account| store.remove_participant(conversation, account, later()).await;
    let Removal::Done { change_id } = remove(here, bob).await.expect(ANSWERS) else { panic!("bob takes part") };
    assert_eq!(remove(here, bob).await.expect(ANSWERS), Removal::Before { change_id });
    assert_eq!(remove(here, eve).await.expect(ANSWERS), Removal::NoParticipant);
    assert_eq!(remove(conversation(999), ana).await.expect(ANSWERS), Removal::NoParticipant);
    let left = store.conversation(here).await.expect(ANSWERS).expect("it is there");
    assert_eq!(left.participants.iter().map(|one| one.id).collect::<Vec<_>>(), [ana]);
    assert_eq!(store.conversations_of(bob, None).await.expect(ANSWERS), []);
    let ended = Ended::Participant { conversation: here, account: bob };
    assert_eq!(changes(store, 0).await, [Change { id: change_id, ended }]);
}

/// In pages, and nothing twice.
pub async fn changes_are_told_in_order_behind_a_change(store: &(impl AccountStore + RightsStore)) {
    assert_eq!(store.last_change().await.expect(ANSWERS), 0);
    for n in 0..5 {
        store.revoke_token(&token(&n.to_string())).await.expect(ANSWERS);
    }
    let all = changes(store, 0).await;
    let names = |changes: &[Change]| {
        let name = |change: &Change| match &change.ended {
            Ended::Token(token) => token.jti.clone(),
            other => panic!("{other:?}"),
        };
        changes.iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(names(&all), ["0", "1", "2", "3", "4"]);
    assert!(all.is_sorted_by(|one, next| one.id < next.id));
    let page = store.changes(all[0].id, 2).await.expect(ANSWERS);
    assert_eq!(names(&page), ["1", "2"]);
    assert_eq!(changes(store, page[1].id).await, all[3..]);
    assert_eq!(store.last_change().await.expect(ANSWERS), all[4].id);
    assert_eq!(changes(store, all[4].id).await, []);
}

/// Nobody who follows misses one, whoever was first.
pub async fn writers_at_once_make_changes_that_appear_in_order(store: &(impl AccountStore + RightsStore)) {
    const WRITERS: u64 = 4;
    const EACH: u64 = 20;
    let write = async |writer: u64| {
        for n in 0..EACH {
            match n % 2 {
                0 => store.revoke_token(&token(&format!("{writer} {n}"))).await.map(drop),
                _ => store.revoke_tokens_of(&all_of(100 + writer * EACH + n, 1)).await,
            }
            .expect(ANSWERS);
        }
    };
    let follow = async {
        let mut seen: Vec<Change> = Vec::new();
        while seen.len() < usize::try_from(WRITERS * EACH).expect("a small number") {
            let after = seen.last().map_or(0, |change| change.id);
            seen.extend(changes(store, after).await);
        }
        seen
    };
    let (seen, ..) = tokio::join!(follow, write(0), write(1), write(2), write(3));
    assert_eq!(seen, changes(store, 0).await);
}

/// With the name of who was removed.
pub async fn a_removal_is_unannounced_until_it_is_marked(store: &(impl AccountStore + RightsStore)) {
    let (ana, bob) = (created(store, "ana").await, created(store, "bob").await);
    let here = store.start_conversation(ana, bob).await.expect(ANSWERS).conversation.id;
    store.revoke_token(&token("needs no announcement")).await.expect(ANSWERS);
    let remove = async |account: AccountId| store.remove_participant(here, account, at(0)).await.expect(ANSWERS);
    let (Removal::Done { change_id: first }, Removal::Done { change_id: second }) =
        (remove(bob).await, remove(ana).await)
    else {
        panic!("both take part")
    };
    store.forget_expired(Timestamp::now()).await.expect(ANSWERS);
    let unannounced = store.unannounced(10).await.expect(ANSWERS);
    let told: Vec<_> = unannounced.iter().map(|one| (one.change_id, one.participant.username.as_str())).collect();
    assert_eq!(told, [(first, "bob"), (second, "ana")], "also those that have expired");
    assert_eq!((unannounced[0].conversation, unannounced[0].participant.id), (here, bob));
    assert_eq!(store.unannounced(1).await.expect(ANSWERS), unannounced[..1]);
    assert!(!store.is_announced(first).await.expect(ANSWERS));
    for _ in 0..2 {
        store.mark_announced(first).await.expect(ANSWERS);
    }
    assert!(store.is_announced(first).await.expect(ANSWERS));
    assert_eq!(store.unannounced(10).await.expect(ANSWERS), unannounced[1..]);
}

/// It is told to nobody even before, and its id is not used again.
pub async fn what_has_expired_is_forgotten(store: &(impl AccountStore + RightsStore)) {
    let expired = RevokedToken { expires_at: at(0), ..token("expired") };
    store.revoke_token(&expired).await.expect(ANSWERS);
    let refresh = RefreshToken { jti: "refresh".to_owned(), account: account(2), expires_at: at(0) };
    store.revoke_refresh_token(&refresh, None).await.expect(ANSWERS);
    assert_eq!(changes(store, 0).await, []);
    let last = store.last_change().await.expect(ANSWERS);
    assert!(is_revoked(store, "expired", 2, 0).await);
    assert_eq!(store.forget_expired(Timestamp::now()).await.expect(ANSWERS), 2);
    assert!(!is_revoked(store, "expired", 2, 0).await);
    assert!(!store.is_refresh_token_revoked("refresh").await.expect(ANSWERS));
    store.revoke_token(&token("next")).await.expect(ANSWERS);
    assert_eq!(store.forget_expired(Timestamp::now()).await.expect(ANSWERS), 0);
    let all = changes(store, last).await;
    assert_eq!(all.len(), 1, "{all:?}");
}
