//! Catching up over the embedded log and SQLite, while no fold is running: the store gets what it is brought.

use std::sync::Arc;

use natter_log::embedded::Embedded;
use natter_log::port::Log as _;
use natter_model::event::{Actor, Body, Entry, Event, Origin};
use natter_model::id::{AccountId, ConversationId, EventId, MessageId, Position};
use natter_model::timestamp::Timestamp;
use natter_store::messages::{Message, MessageStore as _};
use natter_store::sqlite::SqliteStore;

use super::*;

struct Scene {
    log: Arc<Embedded>,
    store: Arc<SqliteStore>,
    catch_up: CatchUp,
    _folder: tempfile::TempDir,
}

fn event(conversation: u64, body: Body) -> Event {
    Event {
        id: EventId::fresh(),
        conversation: ConversationId::new(conversation).unwrap(),
        actor: Actor { id: AccountId::new(2).unwrap(), username: "ana".to_owned() },
        at: Timestamp::from_micros(1_000_000),
        origin: Origin::Natter,
        body,
    }
}

fn posted(content: &str) -> Body {
    Body::Posted { message: None, content: content.to_owned(), attachment: None, client_id: None }
}

impl Scene {
    /// The log's first record stands behind `below`.
    async fn above(below: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = Arc::new(Embedded::open(&folder.path().join("log"), Position::new(below)).unwrap());
        let store = Arc::new(SqliteStore::open(&folder.path().join("store")).await.unwrap());
        let repair = Arc::new(ReadRepair::new(log.clone(), log.clone(), store.clone()));
        let catch_up = CatchUp::new(log.clone(), store.clone(), repair);
        Self { log, store, catch_up, _folder: folder }
    }

    async fn happens(&self, conversation: u64, body: Body) -> u64 {
        self.log.append(&event(conversation, body)).await.unwrap().position.get()
    }

    /// The positions on the page, and where to go on.
    async fn page(&self, conversation_id: u64, since: u64, limit: u32) -> (Vec<u64>, u64) {
        let reply = self.catch_up.page(&v1::CatchUpRequest { conversation_id, since, limit }).await.unwrap();
        (reply.entries.iter().map(|entry| entry.position).collect(), reply.through)
    }
}

#[tokio::test]
async fn pages_lead_to_the_end_of_the_conversation() {
    let scene = Scene::above(0).await;
    let one = scene.happens(7, posted("one")).await;
    let two = scene.happens(7, posted("two")).await;
    let message = MessageId::new(two).unwrap();
    let once = scene.happens(7, Body::Edited { message, content: "once".to_owned() }).await;
    let twice = scene.happens(7, Body::Edited { message, content: "twice".to_owned() }).await;
    let gone = scene.happens(7, Body::ParticipantRemoved).await;
    scene.happens(8, posted("elsewhere")).await;
    assert_eq!(scene.page(7, 0, 2).await, (vec![one, two], two));
    assert_eq!(scene.page(7, two, 2).await, (vec![twice], gone), "once, at {once}, was superseded");
    assert_eq!(scene.page(7, gone, 2).await, (vec![], gone));
    assert_eq!(scene.page(7, gone + 100, 2).await, (vec![], gone + 100), "nobody is sent back");
    assert_eq!(scene.page(9, 0, 2).await, (vec![], 0));
}

#[tokio::test]
async fn what_is_older_than_the_log_is_told_too() {
    let scene = Scene::above(1000).await;
    let imported = [5, 6].map(|id| Message {
        id: MessageId::new(id).unwrap(),
        conversation: ConversationId::new(7).unwrap(),
        sender: AccountId::new(2).unwrap(),
        sender_name: "ana".to_owned(),
        content: Some("old".to_owned()),
        attachment: None,
        timestamp: Timestamp::from_micros(1),
        is_read: false,
        read_at: None,
        is_deleted: false,
        edited_at: None,
    });
    scene.store.import(&imported).await.unwrap();
    assert_eq!(scene.page(7, 0, 10).await, (vec![5, 6], 6));
    let new = scene.happens(7, posted("new")).await;
    assert_eq!(scene.page(7, 5, 10).await, (vec![6, new], new));
}

#[tokio::test]
async fn what_was_relayed_is_told_where_it_stands_under_its_own_id() {
    let scene = Scene::above(1000).await;
    let message = MessageId::new(5);
    let body = Body::Posted { message, content: "from afar".to_owned(), attachment: None, client_id: None };
    let one = scene.happens(7, posted("one")).await;
    let two = scene.happens(7, body).await;
    let three = scene.happens(7, posted("three")).await;
    assert_eq!(scene.page(7, one, 10).await, (vec![two, three], three));
    let request = v1::CatchUpRequest { conversation_id: 7, since: one, limit: 1 };
    let page = scene.catch_up.page(&request).await.unwrap();
    let told = record::from_proto(page.entries[0].event.clone().unwrap()).unwrap();
    assert!(matches!(told.body, Body::Posted { message: id, .. } if id == message), "{told:?}");
    assert_eq!(told.origin, Origin::Channels);
}

#[tokio::test]
async fn nothing_is_told_that_stands_behind_what_the_store_may_lack() {
    let scene = Scene::above(0).await;
    let one = scene.happens(7, posted("one")).await;
    // As another replica's fold may have stored it, before the log tells us of it and of what stands in between.
    let ahead = Entry { position: Position::new(one + 2), previous: Position::START, event: event(7, posted("three")) };
    scene.store.apply(&[ahead]).await.unwrap();
    assert_eq!(scene.page(7, 0, 10).await, (vec![one], one));
}

#[tokio::test]
async fn a_page_ends_before_it_is_too_large_to_send() {
    let scene = Scene::above(0).await;
    let large = "x".repeat(400_000);
    let mut positions = Vec::new();
    for _ in 0..5 {
        positions.push(scene.happens(7, posted(&large)).await);
    }
    assert_eq!(scene.page(7, 0, 100).await, (positions[..3].to_vec(), positions[2]));
    assert_eq!(scene.page(7, positions[2], 100).await, (positions[3..].to_vec(), positions[4]));
}

#[tokio::test]
async fn nonsense_is_refused() {
    let scene = Scene::above(0).await;
    for (conversation_id, since, limit) in [(0, 0, 10), (7, u64::MAX, 10), (7, 0, 0), (7, 0, 2001)] {
        let outcome = scene.catch_up.page(&v1::CatchUpRequest { conversation_id, since, limit }).await;
        assert!(matches!(outcome, Err(Trouble::OutOfRange(_))), "{outcome:?}");
    }
}
