//! What the unit tests of the rooms stand on: an embedded log that can be made unreliable, and a persistence that
//! answers from it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use hyper_util::rt::TokioIo;
use natter_log::embedded::Embedded;
use natter_log::port::{Appended, Feed, Heard, Log, LogError};
use natter_model::event::{Actor, Body, Entry, Event, Signal};
use natter_model::id::{AccountId, ConversationId, EventId, Position};
use natter_model::timestamp::Timestamp;
use natter_proto::v1;
use natter_proto::v1::authz_client::AuthzClient;
use natter_proto::v1::messages_client::MessagesClient;
use natter_proto::v1::messages_server::{Messages, MessagesServer};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::{Channel, Endpoint, Server, Uri};
use tonic::{Request, Response, Status};
use tower::service_fn;

use crate::actions::{Actions, Done};
use crate::config::EdgeConfig;
use crate::gate::Gate;
use crate::lobby::{Lobby, Seat};

/// A conversation in a log of its own.
pub(crate) struct Stage {
    pub log: Arc<FlakyLog>,
    pub actions: Actions,
    pub lobby: Lobby,
    /// Messages that persistence was asked for.
    pub n_asked: Arc<AtomicUsize>,
    _folder: tempfile::TempDir,
}

/// The conversation that the tests are about.
pub(crate) const HERE: ConversationId = ConversationId::new(1).expect("not zero");

/// One of those who talk.
pub(crate) fn actor(id: u64, username: &str) -> Actor {
    Actor { id: account(id), username: username.to_owned() }
}

pub(crate) fn account(id: u64) -> AccountId {
    AccountId::new(id).expect("not zero")
}

/// An entry that was never in a log.
pub(crate) fn entry(position: u64, previous: u64, actor: &Actor, body: Body) -> Entry {
    let event =
        Event { id: EventId::fresh(), conversation: HERE, actor: actor.clone(), at: Timestamp::from_micros(0), body };
    Entry { position: Position::new(position), previous: Position::new(previous), event }
}

pub(crate) fn posted(content: &str) -> Body {
    Body::Posted { content: content.to_owned(), attachment: None, client_id: None }
}

impl Stage {
    pub(crate) fn with_window(window_frames: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let embedded = Embedded::open(&folder.path().join("log.redb"), Position::START).expect("a log");
        let log = Arc::new(FlakyLog::new(embedded));
        let n_asked = Arc::default();
        let messages = persistence(Persistence { log: Arc::clone(&log), n_asked: Arc::clone(&n_asked) });
        let config = EdgeConfig { window_frames, ..EdgeConfig::default() };
        // Nobody asks it anything here.
        let gate = Gate::new(AuthzClient::new(Endpoint::from_static("http://authz").connect_lazy()), &config);
        let lobby = Lobby::open(log.clone(), gate, &config, CancellationToken::new(), &TaskTracker::new());
        let actions = Actions::new(log.clone(), messages);
        Self { log, actions, lobby, n_asked, _folder: folder }
    }

    pub(crate) async fn seat(&self) -> Seat {
        self.lobby.join(HERE).await.expect("there is room")
    }

    pub(crate) async fn post(&self, actor: &Actor, content: &str) -> Done {
        self.actions.post(actor, HERE, content.to_owned(), None, None).await.expect("the log takes it")
    }

    pub(crate) fn n_asked(&self) -> usize {
        self.n_asked.load(Ordering::SeqCst)
    }
}

/// Waits until the window has come so far.
pub(crate) async fn until_head(seat: &Seat, position: Position) {
    seat.window.clone().wait_for(|window| window.head() >= position).await.expect("the room is open");
}

/// A log whose followers can be made deaf, and which can be away.
pub(crate) struct FlakyLog {
    embedded: Embedded,
    is_deafening: AtomicBool,
    unheard: Arc<Mutex<HashSet<EventId>>>,
    is_away: AtomicBool,
    is_sealed: AtomicBool,
    /// Readings that failed because the log is sealed.
    pub n_failed: watch::Sender<usize>,
}

impl FlakyLog {
    fn new(embedded: Embedded) -> Self {
        Self {
            embedded,
            is_deafening: AtomicBool::default(),
            unheard: Arc::default(),
            is_away: AtomicBool::default(),
            is_sealed: AtomicBool::default(),
            n_failed: watch::Sender::default(),
        }
    }

    /// Those who follow never hear of what is appended from now on.
    pub(crate) fn deafen(&self, is_deafening: bool) {
        self.is_deafening.store(is_deafening, Ordering::SeqCst);
    }

    /// Reading, appending and following fail.
    pub(crate) fn take_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::SeqCst);
    }

    /// Reading fails, and nothing else.
    pub(crate) fn seal(&self, is_sealed: bool) {
        self.is_sealed.store(is_sealed, Ordering::SeqCst);
    }

    fn there(&self) -> Result<&Embedded, LogError> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(LogError::Unavailable("taken away by the test".to_owned()));
        }
        Ok(&self.embedded)
    }
}

#[async_trait]
impl Log for FlakyLog {
    async fn append(&self, event: &Event) -> Result<Appended, LogError> {
        if self.is_deafening.load(Ordering::SeqCst) {
            self.unheard.lock().expect("no test panics with it").insert(event.id);
        }
        self.there()?.append(event).await
    }

    async fn read(&self, conversation: ConversationId, after: Position, limit: usize) -> Result<Vec<Entry>, LogError> {
        if self.is_sealed.load(Ordering::SeqCst) {
            self.n_failed.send_modify(|n_failed| *n_failed += 1);
            return Err(LogError::Unavailable("sealed by the test".to_owned()));
        }
        self.there()?.read(conversation, after, limit).await
    }

    async fn entry(&self, position: Position) -> Result<Option<Entry>, LogError> {
        self.there()?.entry(position).await
    }

    async fn head(&self, conversation: ConversationId) -> Result<Position, LogError> {
        self.there()?.head(conversation).await
    }

    async fn follow(&self, conversation: ConversationId) -> Result<Feed, LogError> {
        let feed = self.there()?.follow(conversation).await?;
        let heard = stream::unfold(feed, async |mut feed| Some((feed.next().await?, feed)));
        let unheard = Arc::clone(&self.unheard);
        Ok(Feed::new(heard.filter(move |heard: &Heard| {
            let unheard = unheard.lock().expect("no test panics with it");
            let hears = !matches!(heard, Heard::Entry(entry) if unheard.contains(&entry.event.id));
            async move { hears }
        })))
    }

    async fn signal(&self, signal: &Signal) -> Result<(), LogError> {
        self.there()?.signal(signal).await
    }
}

struct Persistence {
    log: Arc<FlakyLog>,
    n_asked: Arc<AtomicUsize>,
}

#[async_trait]
impl Messages for Persistence {
    async fn get_message(
        &self,
        request: Request<v1::GetMessageRequest>,
    ) -> Result<Response<v1::GetMessageReply>, Status> {
        self.n_asked.fetch_add(1, Ordering::SeqCst);
        let question = request.into_inner();
        let entries = self.log.read(HERE, Position::START, usize::MAX).await.expect("the log answers");
        let post = entries.iter().find(|entry| entry.position.get() == question.message_id);
        let post = post.filter(|entry| matches!(entry.event.body, Body::Posted { .. }));
        let message = post.map(|entry| {
            v1::Message {
            message_id: question.message_id,
            conversation_id: HERE.get(),
            sender_id: entry.event.actor.id.get(),
            is_deleted: entries.iter().any(|later| {
                matches!(later.event.body, Body::Deleted { message } if Position::from(message) == entry.position)
            }),
            ..v1::Message::default()
        }
        });
        Ok(Response::new(v1::GetMessageReply { message }))
    }

    async fn list_messages(
        &self,
        _: Request<v1::ListMessagesRequest>,
    ) -> Result<Response<v1::ListMessagesReply>, Status> {
        Err(Status::unimplemented("no room asks for pages"))
    }

    async fn summarize_conversations(
        &self,
        _: Request<v1::SummarizeConversationsRequest>,
    ) -> Result<Response<v1::SummarizeConversationsReply>, Status> {
        Err(Status::unimplemented("no room asks for summaries"))
    }
}

fn persistence(service: Persistence) -> MessagesClient<Channel> {
    let (client, server) = tokio::io::duplex(64 * 1024);
    let incoming = stream::iter([Ok::<_, std::io::Error>(server)]).chain(stream::pending());
    tokio::spawn(Server::builder().add_service(MessagesServer::new(service)).serve_with_incoming(incoming));
    let mut client = Some(TokioIo::new(client));
    let connector = service_fn(move |_: Uri| {
        let line = client.take().ok_or_else(|| std::io::Error::other("there is one line only"));
        async move { line }
    });
    MessagesClient::new(Endpoint::from_static("http://in-process").connect_with_connector_lazy(connector))
}
