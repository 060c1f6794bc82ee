//! Finding what was posted already, over the embedded log and SQLite, while no fold is running.

use natter_log::embedded::Embedded;
use natter_log::port::Log as _;
use natter_model::event::{Actor, Body, Event, Origin};
use natter_model::id::{ConversationId, EventId, Position};
use natter_model::timestamp::Timestamp;
use natter_store::sqlite::SqliteStore;
use tokio_util::sync::CancellationToken;

use super::*;

struct Scene {
    log: Arc<Embedded>,
    lag: Arc<Lag>,
    resends: Resends,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = Arc::new(Embedded::open(&folder.path().join("log"), Position::START).unwrap());
        let store = Arc::new(SqliteStore::open(&folder.path().join("store")).await.unwrap());
        let repair = Arc::new(ReadRepair::new(log.clone(), log.clone(), store.clone()));
        let lag = Arc::new(Lag::default());
        let resends = Resends::new(store, repair, lag.clone());
        Self { log, lag, resends, _folder: folder }
    }

    /// Ana posts in conversation 7.
    async fn posts_as(&self, client_id: &str) -> u64 {
        let client_id = Some(client_id.to_owned());
        let event = Event {
            id: EventId::fresh(),
            conversation: ConversationId::new(7).unwrap(),
            actor: Actor { id: AccountId::new(2).unwrap(), username: "ana".to_owned() },
            at: Timestamp::from_micros(5_000_000),
            origin: Origin::Natter,
            body: Body::Posted { message: None, content: "hello".to_owned(), attachment: None, client_id },
        };
        self.log.append(&event).await.unwrap().position.get()
    }

    async fn find(&self, conversation_id: u64, account_id: u64, client_id: &str) -> v1::FindResendReply {
        let request = v1::FindResendRequest { conversation_id, account_id, client_id: client_id.to_owned() };
        self.resends.find(request).await.unwrap()
    }
}

#[tokio::test]
async fn a_post_that_the_store_has_not_seen_is_found_in_the_log() {
    let scene = Scene::new().await;
    let id = scene.posts_as("mine").await;
    let found = v1::FindResendReply { message_id: Some(id), timestamp_us: 5_000_000 };
    assert_eq!(scene.find(7, 2, "mine").await, found);
    for (conversation, account, client_id) in
        [(8, 2, "mine"), (7, 3, "mine"), (7, 2, "other"), (7, 2, ""), (7, 2, "\0")]
    {
        assert_eq!(scene.find(conversation, account, client_id).await, v1::FindResendReply::default());
    }
}

#[tokio::test]
async fn the_log_is_left_alone_while_the_store_is_close_behind_it() {
    let scene = Scene::new().await;
    let drain = CancellationToken::new();
    let watching = tokio::spawn(scene.lag.clone().watch(scene.log.clone(), scene.log.clone(), drain.clone()));
    scene.lag.known().await;
    let id = scene.posts_as("mine").await;
    assert_eq!(
        scene.find(7, 2, "mine").await.message_id,
        None,
        "the log itself knows this one, {id}, when it comes again"
    );
    drain.cancel();
    watching.await.unwrap();
}
