//! What the unit tests of the rooms stand on: an embedded log that can be made unreliable, and a persistence that
//! answers from it.

pub(crate) mod flaky_log;
pub(crate) mod persistence;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use natter_identity::key::SigningKey;
use natter_identity::minter::{Lifetimes, Minter, Subject};
use natter_identity::verifier::{Verifier, VerifierSettings};
use natter_log::embedded::Embedded;
use natter_log::port::Log as _;
use natter_model::event::{Actor, Body, Entry, Event, Origin};
use natter_model::id::{AccountId, ConversationId, EventId, MessageId, Position};
use natter_model::timestamp::Timestamp;
use natter_proto::v1::authz_client::AuthzClient;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::Endpoint;

use crate::actions::{Actions, Done};
use crate::auth::Auth;
use crate::config::EdgeConfig;
use crate::gate::Gate;
use crate::limits::Limits;
use crate::lobby::{Lobby, Seat};
use crate::pass::Pass;
use crate::rights::Rights;
use flaky_log::FlakyLog;
use persistence::Persistence;

/// A conversation in a log of its own.
pub(crate) struct Stage {
    pub log: Arc<FlakyLog>,
    pub actions: Actions,
    pub lobby: Lobby,
    pub limits: Arc<Limits>,
    pub persistence: Persistence,
    pub auth: Arc<Auth>,
    _folder: tempfile::TempDir,
}

/// The conversation that the tests are about.
pub(crate) const HERE: ConversationId = ConversationId::new(1).expect("not zero");

/// The key of the tokens that are accepted.
const KEY: [u8; 32] = [7; 32];

/// One of those who talk.
pub(crate) fn actor(id: u64, username: &str) -> Actor {
    Actor { id: account(id), username: username.to_owned() }
}

pub(crate) fn account(id: u64) -> AccountId {
    AccountId::new(id).expect("not zero")
}

/// An entry that was never in a log.
pub(crate) fn entry(position: u64, previous: u64, actor: &Actor, body: Body) -> Entry {
    let event = Event {
        id: EventId::fresh(),
        conversation: HERE,
        actor: actor.clone(),
        at: Timestamp::from_micros(0),
        origin: Origin::Natter,
        body,
    };
    Entry { position: Position::new(position), previous: Position::new(previous), event }
}

pub(crate) fn posted(content: &str) -> Body {
    Body::Posted { message: None, content: content.to_owned(), attachment: None, client_id: None }
}

/// Something said in another system, which gave it this id.
pub(crate) fn relayed(id: u64, content: &str) -> Body {
    let message = MessageId::new(id).expect("not zero");
    Body::Posted { message: Some(message), content: content.to_owned(), attachment: None, client_id: None }
}

/// An access token that is good here, made now.
pub(crate) fn access_token(account: AccountId, lifetimes: Lifetimes) -> String {
    let key = SigningKey::hmac(&KEY).expect("long enough");
    let subject = Subject { account, username: String::new(), email: String::new(), profile_types: Vec::new() };
    Minter::new(&key, lifetimes).access(&subject, Timestamp::now()).token
}

impl Stage {
    pub(crate) fn with_window(window_frames: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let embedded = Embedded::open(&folder.path().join("log.redb"), Position::START).expect("a log");
        let log = Arc::new(FlakyLog::new(embedded));
        let persistence = Persistence::new(Arc::clone(&log));
        let messages = persistence.client();
        let asked = Arc::new(crate::persistence::Persistence::new(messages.clone()));
        let config = EdgeConfig { window_frames, ..EdgeConfig::default() };
        // Nobody asks it anything here.
        let nobody = Endpoint::from_static("http://authz").connect_lazy();
        let gate = Gate::new(AuthzClient::new(nobody.into()), &config);
        let key = SigningKey::hmac(&KEY).expect("long enough");
        let verifier = Verifier::new(&key, VerifierSettings::default());
        let auth = Arc::new(Auth { tokens: verifier.into(), gate: gate.clone(), rights: Rights::new() });
        let lobby =
            Lobby::open(log.clone(), Arc::clone(&asked), gate, &config, CancellationToken::new(), &TaskTracker::new());
        let actions = Actions::new(log.clone(), asked, messages);
        let limits = Limits::new(&config.limits);
        Self { log, actions, lobby, limits, persistence, auth, _folder: folder }
    }

    pub(crate) async fn seat(&self) -> Seat {
        self.lobby.join(HERE).await.expect("there is room")
    }

    pub(crate) async fn post(&self, actor: &Actor, content: &str) -> Done {
        self.actions.post(actor, HERE, content.to_owned(), None, None).await.expect("the log takes it")
    }

    /// One post for each number, which it says.
    pub(crate) async fn post_all(&self, actor: &Actor, numbers: impl IntoIterator<Item = u64>) {
        for number in numbers {
            self.post(actor, &number.to_string()).await;
        }
    }

    /// Lets somebody be here with a new token.
    pub(crate) async fn pass(&self, account: AccountId) -> Arc<Pass> {
        self.pass_lasting(account, Lifetimes::default()).await
    }

    /// The same for so long.
    pub(crate) async fn pass_lasting(&self, account: AccountId, lifetimes: Lifetimes) -> Arc<Pass> {
        let (_, token) = self.auth.check(&access_token(account, lifetimes)).await.expect("a good token");
        Arc::new(Pass::new(Arc::clone(&self.auth), account, HERE, self.auth.rights.last_change(), token))
    }

    /// Somebody takes part no longer.
    pub(crate) async fn remove(&self, actor: &Actor) {
        self.happens(actor, Body::ParticipantRemoved).await;
    }

    /// Something that no edge has done.
    pub(crate) async fn happens(&self, actor: &Actor, body: Body) {
        let (id, at) = (EventId::fresh(), Timestamp::from_micros(0));
        let event = Event { id, conversation: HERE, actor: actor.clone(), at, origin: Origin::Natter, body };
        self.log.append(&event).await.expect("the log takes it");
    }

    /// Messages that persistence was asked for.
    pub(crate) fn n_asked(&self) -> usize {
        self.persistence.n_asked.load(Ordering::SeqCst)
    }
}

/// Waits until the window has come so far.
pub(crate) async fn until_head(seat: &Seat, position: Position) {
    seat.window.clone().wait_for(|window| window.head() >= position).await.expect("the room is open");
}
