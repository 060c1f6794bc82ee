//! The service over SQLite.

use std::sync::Arc;

use natter_identity::key::SigningKey;
use natter_identity::minter::{Lifetimes, Minter};
use natter_identity::verifier::{Expected, Verifier, VerifierSettings};
use natter_model::id::AccountId;
use natter_model::timestamp::Timestamp;
use natter_proto::v1;
use natter_proto::v1::admit_reply::Verdict;
use natter_proto::v1::authz_server::Authz as _;
use natter_proto::v1::log_in_reply::Outcome;
use natter_store::accounts::{Account, AccountStore as _};
use natter_store::sqlite::SqliteStore;
use tonic::{Code, Request};

use crate::Authz;

const ANA: u64 = 2;
const BOB: u64 = 3;
const EVE: u64 = 4;
const GONE: u64 = 99;

/// `secret`, hashed with one iteration so that tests are quick.
const HASH: &str = "pbkdf2_sha256$1$salt$ON9CizCTCOSMNofn+QvaDpzyU1aMIex1Sg4HarSrZCM=";

struct Scene {
    authz: Authz,
    store: Arc<SqliteStore>,
    verifier: Verifier,
    _folder: tempfile::TempDir,
}

impl Scene {
    /// Ana and Bob are active, Eve is not; Bob and Eve share an e-mail address.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(&folder.path().join("store")).await.unwrap());
        let account = |id, username: &str, email: &str, is_active| Account {
            id: AccountId::new(id).unwrap(),
            username: username.to_owned(),
            email: email.to_owned(),
            password_hash: HASH.to_owned(),
            is_active,
            profile_types: vec!["trainer".to_owned()],
        };
        let accounts = [
            account(ANA, "ana", "Ana@Example.com", true),
            account(BOB, "bob", "shared@example.com", true),
            account(EVE, "eve", "shared@example.com", false),
        ];
        store.import_accounts(&accounts).await.unwrap();
        let key = SigningKey::hmac(&[7; 32]).unwrap();
        let verifier = Verifier::new(&key, VerifierSettings::default());
        let authz = Authz::new(store.clone(), Minter::new(&key, Lifetimes::default()), verifier.clone());
        Self { authz, store, verifier, _folder: folder }
    }

    async fn log_in(&self, username: &str, email: &str, password: &str) -> v1::LogInReply {
        let request = v1::LogInRequest {
            username: username.to_owned(),
            email: email.to_owned(),
            password: password.to_owned(),
            content: 0,
        };
        self.authz.log_in(Request::new(request)).await.unwrap().into_inner()
    }

    async fn refresh(&self, refresh: &str) -> String {
        let request = v1::RefreshAccessRequest { refresh: refresh.to_owned(), content: 0 };
        self.authz.refresh_access(Request::new(request)).await.unwrap().into_inner().access
    }

    async fn log_out(&self, refresh: &str) -> bool {
        self.log_out_with(refresh, "").await
    }

    async fn log_out_with(&self, refresh: &str, access: &str) -> bool {
        let request = v1::LogOutRequest { refresh: refresh.to_owned(), access: access.to_owned() };
        self.authz.log_out(Request::new(request)).await.unwrap().into_inner().revoked
    }

    async fn start(&self, account_id: u64, other_account_id: u64) -> v1::StartConversationReply {
        let request = v1::StartConversationRequest { account_id, other_account_id };
        self.authz.start_conversation(Request::new(request)).await.unwrap().into_inner()
    }

    async fn log_out_everywhere(&self, account_id: u64) {
        let request = v1::LogOutEverywhereRequest { account_id };
        self.authz.log_out_everywhere(Request::new(request)).await.unwrap();
    }

    /// Whether this access token still opens a conversation.
    async fn admit_with(&self, access: &str, conversation_id: u64) -> Verdict {
        let claims = self.verifier.verify(access, Expected::Access, Timestamp::now()).unwrap();
        let request = v1::AdmitRequest {
            account_id: claims.account.unwrap().get(),
            conversation_id,
            jti: claims.jti,
            issued_at_s: claims.issued_at.unwrap().as_seconds(),
        };
        self.authz.admit(Request::new(request)).await.unwrap().into_inner().verdict()
    }

    async fn admit(&self, account_id: u64, conversation_id: u64) -> Verdict {
        let request = v1::AdmitRequest { account_id, conversation_id, ..Default::default() };
        self.authz.admit(Request::new(request)).await.unwrap().into_inner().verdict()
    }
}

#[tokio::test]
async fn a_login_gives_both_tokens_and_the_account() {
    let scene = Scene::new().await;
    let reply = scene.log_in("ana", "", "secret").await;
    assert_eq!(reply.outcome(), Outcome::LoggedIn);
    let claims = scene.verifier.verify(&reply.access, Expected::Access, Timestamp::now()).unwrap();
    assert_eq!(claims.account, AccountId::new(ANA));
    assert!(scene.verifier.verify(&reply.refresh, Expected::Refresh, Timestamp::now()).is_ok());
    assert_eq!(reply.account.unwrap().profile_types, ["trainer"]);
}

#[tokio::test]
async fn an_outdated_hash_is_replaced_at_login() {
    let scene = Scene::new().await;
    scene.log_in("ana", "", "secret").await;
    let account = scene.store.account_by_username("ana").await.unwrap().unwrap();
    assert!(account.password_hash.starts_with("pbkdf2_sha256$1000000$"), "{}", account.password_hash);
    assert_eq!(scene.log_in("ana", "", "secret").await.outcome(), Outcome::LoggedIn);
}

#[tokio::test]
async fn the_username_counts_before_the_email() {
    let scene = Scene::new().await;
    assert_eq!(scene.log_in("", "ANA@example.COM", "secret").await.outcome(), Outcome::LoggedIn);
    assert_eq!(scene.log_in("bob", "ana@example.com", "secret").await.account.unwrap().account_id, BOB);
    assert_eq!(scene.log_in("", "shared@example.com", "secret").await.outcome(), Outcome::AmbiguousEmail);
    assert_eq!(scene.log_in("", "nobody@example.com", "secret").await.outcome(), Outcome::NoSuchEmail);
    assert_eq!(scene.log_in("", "", "secret").await.outcome(), Outcome::NoSuchEmail);
}

#[tokio::test]
async fn who_is_wrong_unknown_or_inactive_gets_the_same_answer() {
    let scene = Scene::new().await;
    let refused = v1::LogInReply { outcome: Outcome::Refused.into(), ..v1::LogInReply::default() };
    for (username, password) in [("ana", "Secret"), ("Ana", "secret"), ("nobody", "secret"), ("eve", "secret")] {
        assert_eq!(scene.log_in(username, "", password).await, refused, "{username}");
    }
}

#[tokio::test]
async fn a_refresh_token_is_good_until_it_is_taken_back() {
    let scene = Scene::new().await;
    let reply = scene.log_in("ana", "", "secret").await;
    let access = scene.refresh(&reply.refresh).await;
    assert!(scene.verifier.verify(&access, Expected::Access, Timestamp::now()).is_ok());
    assert_eq!(scene.refresh(&reply.access).await, "", "an access token is none");
    assert_eq!(scene.refresh("nonsense").await, "");
    assert!(!scene.log_out(&reply.access).await);
    assert!(scene.log_out(&reply.refresh).await);
    assert!(!scene.log_out(&reply.refresh).await, "only once");
    assert_eq!(scene.refresh(&reply.refresh).await, "");
}

#[tokio::test]
async fn logging_out_everywhere_takes_back_all_of_ones_tokens_and_nobody_elses() {
    let scene = Scene::new().await;
    let (first, second) = (scene.log_in("ana", "", "secret").await, scene.log_in("ana", "", "secret").await);
    let bob = scene.log_in("bob", "", "secret").await;
    let with_bob = scene.start(ANA, BOB).await.conversation.unwrap().conversation_id;
    scene.log_out_everywhere(ANA).await;
    assert_eq!(scene.admit_with(&first.access, with_bob).await, Verdict::TokenRevoked);
    assert_eq!(scene.admit_with(&bob.access, with_bob).await, Verdict::Admitted);
    assert_eq!(scene.refresh(&first.refresh).await, "");
    assert_eq!(scene.refresh(&second.refresh).await, "");
    assert_ne!(scene.refresh(&bob.refresh).await, "");
}

#[tokio::test]
async fn only_active_participants_are_admitted() {
    let scene = Scene::new().await;
    let started = scene.start(ANA, BOB).await;
    assert!(started.created);
    let id = started.conversation.unwrap().conversation_id;
    let again = scene.start(BOB, ANA).await;
    assert_eq!((again.created, again.conversation.unwrap().conversation_id), (false, id));
    let with_eve = scene.start(BOB, EVE).await.conversation.unwrap().conversation_id;
    assert_eq!(scene.admit(ANA, id).await, Verdict::Admitted);
    assert_eq!(scene.admit(ANA, with_eve).await, Verdict::NotAParticipant);
    assert_eq!(scene.admit(EVE, with_eve).await, Verdict::InactiveAccount);
    assert_eq!(scene.admit(GONE, id).await, Verdict::NoSuchAccount);
    for nowhere in [GONE, 0, u64::MAX] {
        assert_eq!(scene.admit(ANA, nowhere).await, Verdict::NoSuchConversation);
        assert_eq!(scene.admit(nowhere, id).await, Verdict::NoSuchAccount);
    }
    assert_eq!(scene.start(ANA, GONE).await.conversation, None);
}

#[tokio::test]
async fn a_conversation_is_there_for_its_participants_alone() {
    let scene = Scene::new().await;
    let id = scene.start(ANA, BOB).await.conversation.unwrap().conversation_id;
    let get = async |account_id| {
        let request = v1::GetConversationRequest { account_id, conversation_id: id };
        scene.authz.get_conversation(Request::new(request)).await.map(|reply| reply.into_inner().conversation_id)
    };
    let delete = async |account_id| {
        let request = v1::DeleteConversationRequest { account_id, conversation_id: id };
        scene.authz.delete_conversation(Request::new(request)).await
    };
    assert_eq!(get(ANA).await.unwrap(), id);
    assert_eq!(get(EVE).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(delete(EVE).await.unwrap_err().code(), Code::NotFound);
    delete(BOB).await.unwrap();
    assert_eq!(get(ANA).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(delete(BOB).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn all_conversations_can_be_listed() {
    let scene = Scene::new().await;
    let first = scene.start(ANA, BOB).await.conversation.unwrap();
    let second = scene.start(BOB, EVE).await.conversation.unwrap();
    let list = async |after, limit| {
        let request = v1::ListAllConversationsRequest { after, limit };
        let reply = scene.authz.list_all_conversations(Request::new(request)).await;
        reply.map(|reply| reply.into_inner().conversations).map_err(|status| status.code())
    };
    assert_eq!(list(0, 1).await.unwrap(), std::slice::from_ref(&first));
    assert_eq!(list(first.conversation_id, 1000).await.unwrap(), [second]);
    assert_eq!(list(u64::MAX, 1).await.unwrap(), []);
    for limit in [0, 1001] {
        assert_eq!(list(0, limit).await.unwrap_err(), Code::InvalidArgument);
    }
}

#[tokio::test]
async fn logging_out_takes_back_the_access_token_that_came_with_it_and_no_other() {
    let scene = Scene::new().await;
    let with_bob = scene.start(ANA, BOB).await.conversation.unwrap().conversation_id;
    let (here, elsewhere) = (scene.log_in("ana", "", "secret").await, scene.log_in("ana", "", "secret").await);
    assert!(scene.log_out_with(&here.refresh, &here.access).await);
    assert_eq!(scene.admit_with(&here.access, with_bob).await, Verdict::TokenRevoked);
    assert_eq!(scene.admit_with(&elsewhere.access, with_bob).await, Verdict::Admitted);
}

#[tokio::test]
async fn tokens_made_right_after_logging_out_everywhere_are_good() {
    let scene = Scene::new().await;
    let with_bob = scene.start(ANA, BOB).await.conversation.unwrap().conversation_id;
    scene.log_out_everywhere(ANA).await;
    let again = scene.log_in("ana", "", "secret").await;
    assert_eq!(scene.admit_with(&again.access, with_bob).await, Verdict::Admitted);
    let refreshed = scene.refresh(&again.refresh).await;
    assert_eq!(scene.admit_with(&refreshed, with_bob).await, Verdict::Admitted);
}
