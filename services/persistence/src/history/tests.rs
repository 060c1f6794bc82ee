//! History over the embedded log and SQLite, while no fold is running: all that is told comes by catching up.

use std::sync::Arc;

use natter_log::embedded::Embedded;
use natter_log::port::Log as _;
use natter_model::event::{Actor, Body, Event, Origin};
use natter_model::id::{AccountId, ConversationId, EventId, MessageId, Position};
use natter_model::timestamp::Timestamp;
use natter_proto::v1;
use natter_proto::v1::messages_server::Messages as _;
use natter_store::sqlite::SqliteStore;
use tonic::{Code, Request};

use super::History;

const ANA: u64 = 2;
const BOB: u64 = 3;

struct Scene {
    log: Arc<Embedded>,
    history: History,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        Self::behind(0).await
    }

    /// The log begins behind this position.
    async fn behind(last: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = Arc::new(Embedded::open(&folder.path().join("log"), Position::new(last + 1)).unwrap());
        let store = Arc::new(SqliteStore::open(&folder.path().join("store")).await.unwrap());
        let history = History::new(log.clone(), log.clone(), store, Arc::default());
        Self { log, history, _folder: folder }
    }

    async fn happens(&self, conversation: u64, actor: u64, body: Body) -> u64 {
        let event = Event {
            id: EventId::fresh(),
            conversation: ConversationId::new(conversation).unwrap(),
            actor: Actor { id: AccountId::new(actor).unwrap(), username: format!("user{actor}") },
            at: Timestamp::from_micros(1_000_000),
            origin: Origin::Natter,
            body,
        };
        self.log.append(&event).await.unwrap().position.get()
    }

    async fn says(&self, conversation: u64, actor: u64, content: &str) -> u64 {
        let body = Body::Posted { message: None, content: content.to_owned(), attachment: None, client_id: None };
        self.happens(conversation, actor, body).await
    }

    async fn message(&self, message_id: u64, conversation_id: Option<u64>) -> Option<v1::Message> {
        let request = v1::GetMessageRequest { message_id, conversation_id };
        self.history.get_message(Request::new(request)).await.unwrap().into_inner().message
    }

    async fn page(&self, conversation_ids: Vec<u64>) -> Vec<Option<String>> {
        let request =
            v1::ListMessagesRequest { conversation_ids, page: 1, page_size: 500, ..v1::ListMessagesRequest::default() };
        let page = self.history.list_messages(Request::new(request)).await.unwrap().into_inner();
        page.messages.into_iter().map(|message| message.content).collect()
    }
}

#[tokio::test]
async fn an_answer_includes_what_the_log_took_before_the_question() {
    let scene = Scene::new().await;
    let id = scene.says(7, ANA, "one").await;
    assert_eq!(scene.message(id, Some(7)).await.unwrap().content.as_deref(), Some("one"));
    let body = Body::Edited { message: MessageId::new(id).unwrap(), content: "two".to_owned() };
    scene.happens(7, ANA, body).await;
    assert_eq!(scene.message(id, Some(7)).await.unwrap().content.as_deref(), Some("two"));
}

#[tokio::test]
async fn a_message_is_found_wherever_it_was_said_but_not_elsewhere() {
    let scene = Scene::new().await;
    let id = scene.says(7, ANA, "one").await;
    assert_eq!(scene.message(id, None).await.unwrap().conversation_id, 7);
    assert_eq!(scene.message(id, Some(8)).await, None);
    let read = Body::Read { message: MessageId::new(id).unwrap() };
    let no_post = scene.happens(7, BOB, read).await;
    for nothing in [no_post, no_post + 1, 0, u64::MAX] {
        assert_eq!(scene.message(nothing, None).await, None, "{nothing}");
    }
}

#[tokio::test]
async fn a_message_is_found_by_the_id_that_another_system_gave_it() {
    let scene = Scene::behind(1000).await;
    let given = MessageId::new(5).unwrap();
    let relayed = |content: &str| Body::Posted {
        message: Some(given),
        content: content.to_owned(),
        attachment: None,
        client_id: None,
    };
    for n in 0..1200 {
        scene.says(8, ANA, &n.to_string()).await;
    }
    let place = scene.happens(7, ANA, relayed("from afar")).await;
    for nothing in [place, 6] {
        assert_eq!(scene.message(nothing, None).await, None, "{nothing}");
    }
    for conversation in [None, Some(7), None] {
        let message = scene.message(5, conversation).await.unwrap();
        assert_eq!((message.message_id, message.content.as_deref()), (5, Some("from afar")), "{conversation:?}");
    }
    scene.happens(7, ANA, Body::Deleted { message: given }).await;
    assert!(scene.message(5, None).await.unwrap().is_deleted);
    let highest = scene.history.get_highest(Request::new(v1::GetHighestRequest {})).await.unwrap().into_inner();
    assert_eq!((highest.position, highest.given_message_id), (place + 1, 5));
}

#[tokio::test]
async fn long_tails_of_several_conversations_are_caught_up_with() {
    let scene = Scene::new().await;
    for n in 0..600 {
        scene.says(7 + n % 2, ANA, &n.to_string()).await;
    }
    // More than one read of the log in the first, one in the second.
    for n in 600..900 {
        scene.says(7, ANA, &n.to_string()).await;
    }
    let summaries = v1::SummarizeConversationsRequest { account_id: BOB, conversation_ids: vec![8, 7], latest: 1 };
    let summaries = scene.history.summarize_conversations(Request::new(summaries)).await.unwrap().into_inner();
    let counts: Vec<_> = summaries.summaries.iter().map(|one| (one.conversation_id, one.unread_count)).collect();
    assert_eq!(counts, [(8, 300), (7, 600)]);
    let latest = |n: usize| summaries.summaries[n].latest[0].content.as_deref();
    assert_eq!((latest(0), latest(1)), (Some("599"), Some("899")));
    assert_eq!(scene.page(vec![8]).await.first(), Some(&Some("1".to_owned())));
    assert!(scene.page(vec![]).await.is_empty());
}

#[tokio::test]
async fn nonsense_is_refused() {
    let scene = Scene::new().await;
    for (conversation, page_size) in [(0, 50), (1 << 53, 50), (7, 0), (7, 501)] {
        let request = v1::ListMessagesRequest {
            conversation_ids: vec![conversation],
            page: 1,
            page_size,
            ..v1::ListMessagesRequest::default()
        };
        let refusal = scene.history.list_messages(Request::new(request)).await.unwrap_err();
        assert_eq!(refusal.code(), Code::InvalidArgument);
    }
}
