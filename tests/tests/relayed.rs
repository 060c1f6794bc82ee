//! Messages that came into the log from another system, under the ids that it gave them.

use natter_log::port::Log as _;
use natter_log_nats::{Access, JetStream};
use natter_model::event::{Actor, Body, Event, Origin};
use natter_model::id::{AccountId, ConversationId, EventId, MessageId};
use natter_model::timestamp::Timestamp;
use natter_tests::fixture::{Line, Room, World};
use natter_tests::stack::{Shape, Stack};
use natter_tests::wait::until;

/// Where everybody talks.
const CONVERSATION: u64 = 7;
/// Said before, and imported.
const IMPORTED: u64 = 20;

/// The other system's hand in the log.
struct Relay {
    log: JetStream,
    bob: Actor,
}

impl Relay {
    async fn of(stack: &Stack, bob: u64) -> Self {
        let url = stack.deployment().await.servers().nats.url();
        let log = JetStream::connect(&Access::at(&url, "test")).await.expect("a good URL");
        let id = AccountId::new(bob).expect("an id");
        Self { log, bob: Actor { id, username: "bob".to_owned() } }
    }

    /// Bob says this there, where it gets this id; returns where it stands in the log.
    async fn posts(&self, id: u64, content: &str) -> u64 {
        let (conversation, message) = (conversation(), message(id));
        let body =
            Body::Posted { message: Some(message), content: content.to_owned(), attachment: None, client_id: None };
        self.takes(EventId::of_relayed_post(conversation, message), body).await
    }

    async fn takes(&self, id: EventId, body: Body) -> u64 {
        let (conversation, actor, at) = (conversation(), self.bob.clone(), Timestamp::now());
        let event = Event { id, conversation, actor, at, origin: Origin::Channels, body };
        let appended = until("the log takes it", async || self.log.append(&event).await.ok()).await;
        appended.position.get()
    }
}

fn conversation() -> ConversationId {
    ConversationId::new(CONVERSATION).expect("an id")
}

fn message(id: u64) -> MessageId {
    MessageId::new(id).expect("an id")
}

/// Everybody calls them by those ids: on sockets, over REST, in the store; and the store is as the log says.
#[tokio::test]
async fn relayed_messages_are_edited_read_and_deleted_by_their_ids() {
    let world = World {
        conversations: vec![Room { id: CONVERSATION, participants: vec![1, 2], created_at: None }],
        messages: vec![Line { content: Some("of old".to_owned()), ..Line::new(IMPORTED, CONVERSATION, 2) }],
        ..World::of_strangers()
    };
    let stack = Shape::Real.start_with(&world).await;
    let (mut ana, mut bob) = (stack.client("ana"), stack.client("bob").on_edge(1));
    ana.joins(CONVERSATION).await;
    bob.joins(CONVERSATION).await;
    let relay = Relay::of(&stack, 2).await;

    let place = relay.posts(5, "from afar").await;
    let first = ana.hears_next().await;
    assert_eq!((first.kind(), first.message_id(), first.seq()), ("chat_message", 5, place), "{first}");
    assert_eq!(relay.posts(5, "from afar").await, place, "whoever else relays it");
    let ours = ana.says("from here").await;
    relay.posts(6, "gone soon").await;
    let second = ana.hears_next().await;
    bob.edits(&first, "edited here").await;
    bob.deletes(&second).await;
    let behind = ana.reads(&first).await.seq();
    // What was imported comes by way of the log too.
    let imported = relay.posts(IMPORTED, "of old").await;
    let told = ana.hears_of("chat_message", |frame| frame["message_id"] == IMPORTED).await;
    assert_eq!(told.seq(), imported);
    let edit = Body::Edited { message: message(IMPORTED), content: "edited there".to_owned() };
    let edited = relay.takes(EventId::of_relayed_edit(conversation(), message(IMPORTED), Timestamp::now()), edit).await;

    let shown = ana.get("/api/chat/messages/5/").await.expect_status(200);
    assert_eq!((&shown["id"], &shown["content"], &shown["is_read"]), (&5.into(), &"edited here".into(), &true.into()));
    let shown = bob.get(&format!("/api/chat/messages/{IMPORTED}/")).await.expect_status(200);
    assert_eq!(shown["content"], "edited there");
    assert_eq!(ana.history().await, ["edited there", "edited here", "from here"]);
    for seq in [place, ours.seq()] {
        ana.get(&format!("/api/chat/messages/{seq}/")).await.expect_status(if seq == place { 404 } else { 200 });
    }
    let mut tablet = bob.elsewhere();
    tablet.reconnects_after(behind).await;
    let (missed, edit) = (tablet.hears_next().await, tablet.hears_next().await);
    assert_eq!((missed.message_id(), missed.seq()), (IMPORTED, imported), "{missed}");
    assert_eq!((edit.kind(), edit.message_id(), edit.seq()), ("edit", IMPORTED, edited), "{edit}");

    let deployment = stack.deployment().await;
    until("everything is stored and verified", async || {
        let said = deployment.natter(["verify"]).run().succeeded();
        (said.contains("Events applied: 8.") && said.contains("Differences: 0.")).then_some(())
    })
    .await;
}
