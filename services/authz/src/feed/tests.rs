//! Watching rights, and telling the log, over SQLite and the embedded log.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use natter_identity::key::SigningKey;
use natter_identity::minter::{Lifetimes, Minter};
use natter_identity::verifier::{Verifier, VerifierSettings};
use natter_log::embedded::Embedded;
use natter_log::port::Log as _;
use natter_model::event::Body;
use natter_model::id::{AccountId, ConversationId, Position};
use natter_model::timestamp::Timestamp;
use natter_proto::v1;
use natter_proto::v1::rights_change::Change as Kind;
use natter_store::accounts::{AccountStore as _, NewAccount};
use natter_store::rights::{Change, Ended, Removal, RevokedToken, RightsStore as _};
use natter_store::sqlite::SqliteStore;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use super::{News, QUEUE};
use crate::Authz;

type Watched<'a> = Pin<&'a mut (dyn Stream<Item = Result<v1::RightsChange, Status>> + Send)>;

struct Scene {
    authz: Authz,
    store: Arc<SqliteStore>,
    log: Arc<Embedded>,
    drain: CancellationToken,
    folder: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(&folder.path().join("store")).await.unwrap());
        let log = Arc::new(Embedded::open(&folder.path().join("log"), Position::new(1)).unwrap());
        let authz = authz(&store);
        Self { authz, store, log, drain: CancellationToken::new(), folder }
    }

    /// Follows, as the programs do.
    fn begin(&self) {
        let (authz, log, drain) = (self.authz.clone(), self.log.clone(), self.drain.clone());
        tokio::spawn(async move { authz.follow_rights(log, drain).await });
    }

    async fn revoke(&self, jti: &str) {
        self.revoke_in(&self.store, jti).await;
    }

    async fn revoke_in(&self, store: &SqliteStore, jti: &str) {
        let expires_at = Timestamp::now().after(Duration::from_secs(3600));
        store.revoke_token(&RevokedToken { jti: jti.to_owned(), account: None, expires_at }).await.unwrap();
    }

    async fn account(&self, username: &str) -> AccountId {
        let account = NewAccount {
            username: username.to_owned(),
            email: String::new(),
            password_hash: "!".to_owned(),
            profile_types: Vec::new(),
        };
        self.store.create_account(&account).await.unwrap().unwrap()
    }

    /// Ana and Bob had a conversation, and Bob was removed from it.
    async fn removal(&self) -> (ConversationId, AccountId, u64) {
        let (ana, bob) = (self.account("ana").await, self.account("bob").await);
        let here = self.store.start_conversation(ana, bob).await.unwrap().conversation.id;
        let removed = self.store.remove_participant(here, bob, Timestamp::from_micros(i64::MAX)).await.unwrap();
        let Removal::Done { change_id } = removed else { panic!("{removed:?}") };
        (here, bob, change_id)
    }
}

fn authz(store: &Arc<SqliteStore>) -> Authz {
    let key = SigningKey::hmac(&[7; 32]).unwrap();
    Authz::new(store.clone(), Minter::new(&key, Lifetimes::default()), Verifier::new(&key, VerifierSettings::default()))
}

/// The token that was revoked, or `None` for a sign of life.
async fn told(watched: &mut Watched<'_>) -> Option<String> {
    match watched.next().await.unwrap().unwrap().change.unwrap() {
        Kind::TokenRevoked(token) => Some(token.jti),
        Kind::UpToDate(_) => None,
        other => panic!("{other:?}"),
    }
}

async fn next_token(watched: &mut Watched<'_>) -> String {
    loop {
        if let Some(jti) = told(watched).await {
            return jti;
        }
    }
}

#[tokio::test]
async fn first_comes_what_ended_before_then_the_word_that_this_was_all_then_what_ends() {
    let scene = Scene::new().await;
    for jti in ["a", "b"] {
        scene.revoke(jti).await;
    }
    scene.begin();
    let (mut all, mut rest) = (pin!(scene.authz.watch(0)), pin!(scene.authz.watch(1)));
    let (mut all, mut rest): (Watched<'_>, Watched<'_>) = (all.as_mut(), rest.as_mut());
    assert_eq!(told(&mut all).await.as_deref(), Some("a"));
    assert_eq!(told(&mut all).await.as_deref(), Some("b"));
    assert_eq!(told(&mut all).await, None);
    assert_eq!(told(&mut rest).await.as_deref(), Some("b"));
    assert_eq!(told(&mut rest).await, None);
    scene.revoke("c").await;
    // As another replica or an admin command does it.
    let elsewhere = SqliteStore::open(&scene.folder.path().join("store")).await.unwrap();
    scene.revoke_in(&elsewhere, "d").await;
    for watched in [&mut all, &mut rest] {
        assert_eq!(next_token(watched).await, "c");
        assert_eq!(next_token(watched).await, "d");
    }
}

#[tokio::test]
async fn who_lags_too_far_behind_is_let_go_and_goes_on_from_where_they_were() {
    let scene = Scene::new().await;
    scene.begin();
    let mut slow = pin!(scene.authz.watch(0));
    let mut slow: Watched<'_> = slow.as_mut();
    assert_eq!(told(&mut slow).await, None);
    for n in 0..=QUEUE {
        scene.authz.feed.tell(News::Changed(Arc::new(change(n))));
    }
    assert_eq!(slow.next().await.unwrap().unwrap_err().code(), Code::Aborted);
    assert!(slow.next().await.is_none());
    for n in 0..3 {
        scene.revoke(&n.to_string()).await;
    }
    let mut again = pin!(scene.authz.watch(1));
    let mut again: Watched<'_> = again.as_mut();
    assert_eq!(next_token(&mut again).await, "1");
    assert_eq!(next_token(&mut again).await, "2");
}

fn change(n: usize) -> Change {
    let token = RevokedToken { jti: n.to_string(), account: None, expires_at: Timestamp::from_micros(i64::MAX) };
    Change { id: u64::try_from(n).unwrap() + 1, ended: Ended::Token(token) }
}

#[tokio::test]
async fn watching_ends_with_the_drain() {
    let scene = Scene::new().await;
    scene.begin();
    let mut watched = pin!(scene.authz.watch(0));
    assert!(watched.next().await.is_some());
    scene.drain.cancel();
    while watched.next().await.is_some() {}
}

#[tokio::test]
async fn a_removal_is_told_to_the_log_once_however_many_do_it() {
    let scene = Scene::new().await;
    let (here, bob, change_id) = scene.removal().await;
    scene.begin();
    let other = authz(&scene.store);
    let (log, drain) = (scene.log.clone(), scene.drain.clone());
    tokio::spawn(async move { other.follow_rights(log, drain).await });
    while !scene.store.is_announced(change_id).await.unwrap() {
        tokio::task::yield_now().await;
    }
    scene.drain.cancel();
    let entries = scene.log.read(here, Position::START, 10).await.unwrap();
    assert_eq!(entries.len(), 1, "{entries:?}");
    let event = &entries[0].event;
    assert_eq!((event.actor.id, event.actor.username.as_str(), &event.body), (bob, "bob", &Body::ParticipantRemoved));
}
