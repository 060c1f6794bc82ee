//! A log, a Redis, an authz, and adapters between them.
#![allow(dead_code, reason = "each test uses its part")]

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use natter_authz::Authz;
use natter_host::grpc::{ConnectionAge, GrpcListener};
use natter_host::peer::{Peer, PeerConfig};
use natter_host::readiness::Readiness;
use natter_identity::key::SigningKey;
use natter_identity::minter::{Lifetimes, Minter};
use natter_identity::verifier::{Verifier, VerifierSettings};
use natter_log::port::{Delivery, Log as _};
use natter_log_nats::{Access, JetStream, State, StreamSettings, provision};
use natter_model::event::{Actor, Body, Entry, Event, Origin, Signal, SignalBody};
use natter_model::id::{AccountId, ConversationId, EventId, MessageId, Position};
use natter_model::timestamp::Timestamp;
use natter_proto::v1::authz_server::{self, AuthzServer};
use natter_redis_adapter::bridge::Bridge;
use natter_redis_adapter::layer::Layer;
use natter_redis_adapter::layer::config::{LayerConfig, LayerKind};
use natter_store::accounts::{Account, AccountStore as _, Conversation, Participant};
use natter_store::sqlite::SqliteStore;
use natter_tests::servers::nats::NatsServer;
use natter_tests::servers::redis::Redis;
use natter_tests::wait::{until, within_patience};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::stage::{Django, settings};

/// Where Natter's log begins. Django's ids lie below.
pub(crate) const FIRST: u64 = 1 << 40;
/// When everything happens at Django.
pub(crate) const MOMENT: &str = "2025-11-13 10:05:00.123456+00:00";

/// The conversations 1 and 2 of ana and bob.
pub(crate) struct Scene {
    pub(crate) nats: NatsServer,
    pub(crate) redis: Vec<Redis>,
    pub(crate) config: LayerConfig,
    pub(crate) log: JetStream,
    pub(crate) accounts: Arc<SqliteStore>,
    authz: Peer,
    _authz: AbortOnDropHandle<()>,
    _folder: tempfile::TempDir,
}

/// One that runs, on threads of its own. Dropping it is like `kill -9`.
pub(crate) struct Adapter {
    /// There until it is dropped.
    runtime: Option<Runtime>,
    drain: CancellationToken,
    pub(crate) has_overlap: watch::Receiver<bool>,
    running: JoinHandle<()>,
}

impl Drop for Adapter {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Scene {
    pub(crate) async fn new(kind: LayerKind) -> Self {
        Self::on(kind, Redis::new()).await
    }

    /// On this Redis, which is started here.
    pub(crate) async fn on(kind: LayerKind, mut redis: Redis) -> Self {
        redis.start().await;
        let redis = vec![redis];
        let nats = NatsServer::started().await;
        let stream = StreamSettings { first_sequence: Position::new(FIRST), ..StreamSettings::default() };
        provision(&at(&nats), &stream).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let accounts = Arc::new(SqliteStore::open(&folder.path().join("store")).await.unwrap());
        accounts.import_accounts(&[account(1), account(2)]).await.unwrap();
        let key = SigningKey::hmac(&[7; 32]).unwrap();
        let verifier = Verifier::new(&key, VerifierSettings::default());
        let authz = Authz::new(accounts.clone(), Minter::new(&key, Lifetimes::default()), verifier);
        let listener = GrpcListener::bind("TEST", "127.0.0.1:0".parse().unwrap()).await.unwrap();
        let url = format!("http://{}", listener.address());
        let serving = tokio::spawn(async move {
            let readiness = Readiness::new(&[], CancellationToken::new());
            listener
                .serve(AuthzServer::new(authz), &readiness, ConnectionAge::UNLIMITED, CancellationToken::new())
                .await;
        });
        let log = connected(&nats).await;
        let peers = PeerConfig { peer_resolve_seconds: NonZero::<u32>::MIN };
        let authz = Peer::new("AUTHZ_URL", &url, authz_server::SERVICE_NAME, &peers).unwrap();
        let config = settings(kind, &redis);
        let _authz = AbortOnDropHandle::new(serving);
        let scene = Self { nats, redis, config, log, accounts, authz, _authz, _folder: folder };
        scene.has_conversations(&[1, 2]).await;
        scene
    }

    /// Authz knows these from now on.
    pub(crate) async fn has_conversations(&self, ids: &[u64]) {
        let participants =
            || [(1, "ana"), (2, "bob")].map(|(id, name)| Participant { id: account_id(id), username: name.to_owned() });
        let conversation = |id: &u64| Conversation {
            id: conversation(*id),
            created_at: Timestamp::from_micros(0),
            participants: participants().into(),
        };
        self.accounts.import_conversations(&ids.iter().map(conversation).collect::<Vec<_>>()).await.unwrap();
    }

    /// One that is in all groups.
    pub(crate) async fn adapter(&self) -> Adapter {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let drain = CancellationToken::new();
        let (begun, begins) = oneshot::channel();
        let (access, config, authz, drained) = (at(&self.nats), self.config.clone(), self.authz.clone(), drain.clone());
        let running = runtime.spawn(async move {
            let log = Arc::new(JetStream::connect(&access).await.unwrap());
            let opened = Layer::open(&config).unwrap();
            let bridge = Bridge::new(log, authz.calls(), opened, &config, conversation(FIRST));
            begun.send((bridge.has_begun(), bridge.has_overlap())).unwrap_or_else(|_| panic!("the test waits"));
            let tasks = TaskTracker::new();
            Box::pin(bridge.run(drained, &tasks)).await;
            tasks.close();
            tasks.wait().await;
        });
        let (has_begun, has_overlap) = begins.await.unwrap();
        within_patience("the adapter to begin", has_begun).await;
        Adapter { runtime: Some(runtime), drain, has_overlap, running }
    }

    /// A process of Django's with a client in these conversations, whose pub/sub lines are up.
    pub(crate) async fn django(&self, groups: &[&str]) -> Django {
        let mut django = Django::beside(&self.config);
        for group in groups {
            django.joins(group).await;
        }
        django
    }

    /// A member of the first conversation's group that never reads. To be used where payloads are JSON without a prefix.
    pub(crate) fn mailbox(&self) -> Mailbox<'_> {
        let now = Timestamp::now().as_seconds().to_string();
        self.redis[0].query(["ZADD", "asgi:group:chat_1", &now, &format!("specific.{MAILBOX}!x")]);
        Mailbox(&self.redis[0])
    }

    /// Ana says something at Natter. Answers with its id.
    pub(crate) async fn ana_says(&self, conversation_id: u64, content: &str) -> u64 {
        let event = natters(conversation_id, content);
        within_patience("the log to take it", self.log.append(&event)).await.unwrap().position.get()
    }

    /// All events that came from Django, once there are so many.
    pub(crate) async fn relayed(&self, n_events: usize) -> Vec<Entry> {
        until(&format!("{n_events} events came from Django"), async || {
            let relayed = self.all_relayed().await;
            (relayed.len() >= n_events).then_some(relayed)
        })
        .await
    }

    pub(crate) async fn all_relayed(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut after = Position::START;
        while let Ok(page) = self.log.scan(after, 500).await {
            let Some(last) = page.last() else { break };
            after = last.position();
            entries.extend(page.into_iter().filter_map(|delivery| match delivery {
                Delivery::Entry(entry) if entry.event.origin == Origin::Channels => Some(entry),
                _ => None,
            }));
        }
        entries
    }
}

/// What lies in Redis for a process of Django's.
pub(crate) struct Mailbox<'a>(&'a Redis);

/// Its process id.
const MAILBOX: &str = "0123456789abcdef0123456789abcdef";

impl Mailbox<'_> {
    /// The contents of all messages, in order, once there are so many.
    pub(crate) async fn holds(&self, n_messages: usize) -> Vec<String> {
        until(&format!("{n_messages} messages lie in Redis"), async || {
            let contents = self.contents();
            (contents.len() >= n_messages).then_some(contents)
        })
        .await
    }

    fn contents(&self) -> Vec<String> {
        let key = format!("asgispecific.{MAILBOX}!");
        let payloads = self.0.query(["ZRANGE", &key, "0", "-1"]);
        let events = payloads.iter().filter_map(|payload| serde_json::from_str::<Value>(payload).ok());
        events.map(|event| event["content"].as_str().unwrap().to_owned()).collect()
    }
}

impl Adapter {
    /// As on SIGTERM.
    pub(crate) async fn drains(mut self) {
        self.drain.cancel();
        within_patience("the adapter to end", &mut self.running).await.unwrap();
    }
}

/// Ana's message.
pub(crate) fn natters(conversation_id: u64, content: &str) -> Event {
    Event {
        id: EventId::fresh(),
        conversation: conversation(conversation_id),
        actor: ana(),
        at: Timestamp::now(),
        origin: Origin::Natter,
        body: Body::Posted { message: None, content: content.to_owned(), attachment: None, client_id: None },
    }
}

/// Ana begins to type, or ceases to.
pub(crate) fn typing(is_typing: bool) -> Signal {
    let body = SignalBody::Typing { is_typing };
    Signal { conversation: conversation(1), actor: ana(), origin: Origin::Natter, body }
}

/// Bob's message, as Django's consumer says it.
pub(crate) fn djangos(id: u64, content: &str) -> Value {
    json!({ "type": "chat_message", "message_id": id, "sender": "bob", "content": content, "timestamp": MOMENT })
}

/// Ids that Django gave, in the order of the log.
pub(crate) fn ids(entries: &[Entry]) -> Vec<u64> {
    entries.iter().filter_map(Entry::message_id).map(MessageId::get).collect()
}

pub(crate) fn ana() -> Actor {
    Actor { id: account_id(1), username: "ana".to_owned() }
}

pub(crate) fn conversation(id: u64) -> ConversationId {
    ConversationId::new(id).unwrap()
}

/// A line to the log that is up.
pub(crate) async fn connected(nats: &NatsServer) -> JetStream {
    let log = JetStream::connect(&at(nats)).await.unwrap();
    let mut states = log.state();
    within_patience("the log", states.wait_for(|state| *state == State::Ready)).await.unwrap();
    log
}

fn at(nats: &NatsServer) -> Access {
    Access::at(&nats.url(), "test")
}

fn account(id: u64) -> Account {
    let username = if id == 1 { "ana" } else { "bob" };
    Account {
        id: account_id(id),
        username: username.to_owned(),
        email: String::new(),
        password_hash: String::new(),
        is_active: true,
        profile_types: Vec::new(),
    }
}

fn account_id(id: u64) -> AccountId {
    AccountId::new(id).unwrap()
}

/// Long enough for anything that should not come.
pub(crate) const A_WHILE: Duration = Duration::from_millis(300);
