//! What was said in Natter, record by record, and Django's tables as a mirror finds them.

use natter_model::event::{Actor, Body, Entry, Event, Origin};
use natter_model::id::{AccountId, ConversationId, EventId, MessageId, Position};
use natter_model::timestamp::Timestamp;
use natter_store::messages::Message;
use natter_store_django::database::Access;
use natter_store_django::django::Django;
use natter_store_django::mirror::{Folded, Mirror, MirrorError, Step, Why};
use natter_store_django::tables::Tables;

use crate::django::{ALL, FIRST, Kind, Site, account, conversation, sorted};

/// Where Natter's ids begin.
pub(crate) const LOG: u64 = 1000;

/// 2025-11-13 10:05:00 UTC, and so much later.
pub(crate) fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(1_763_028_300_000_000 + micros)
}

pub(crate) fn message_id(id: u64) -> MessageId {
    MessageId::new(id).expect("a good id")
}

/// The names of the people.
fn username(id: u64) -> &'static str {
    match id {
        4 => "ana",
        5 => "bob",
        _ => "somebody",
    }
}

/// A record at this position, of conversation 9, at so many microseconds after the hour.
pub(crate) fn entry(position: u64, actor: u64, micros: i64, body: Body) -> Entry {
    Entry {
        position: Position::new(position),
        previous: Position::START,
        event: Event {
            id: EventId::fresh(),
            conversation: ConversationId::new(9).expect("a good id"),
            actor: Actor { id: AccountId::new(actor).expect("a good id"), username: username(actor).to_owned() },
            at: at(micros),
            origin: Origin::Natter,
            body,
        },
    }
}

pub(crate) fn posted(content: &str) -> Body {
    Body::Posted { message: None, content: content.to_owned(), attachment: None, client_id: None }
}

pub(crate) fn edited(message: u64, content: &str) -> Body {
    Body::Edited { message: message_id(message), content: content.to_owned() }
}

pub(crate) fn deleted(message: u64) -> Body {
    Body::Deleted { message: message_id(message) }
}

pub(crate) fn read(message: u64) -> Body {
    Body::Read { message: message_id(message) }
}

/// It was heard from Django.
pub(crate) fn heard(mut entry: Entry) -> Entry {
    entry.event.origin = Origin::Channels;
    entry
}

/// Accounts 4 and 5 in conversation 9, in which nothing has been said, and a mirror that begins where the log does.
pub(crate) async fn two_in_a_chat(kind: Kind) -> (Site, Mirror) {
    let site = Site::new(kind).await;
    let joins = "INSERT INTO chat_conversation_participants (conversation_id, account_id) VALUES (9, 4), (9, 5);";
    site.run(&[account(4, "ana"), account(5, "bob"), conversation(9), joins.to_owned()].concat()).await;
    let mut mirror = mirror(&site).await;
    mirror.begin_at(Position::new(LOG - 1)).await.expect("the table takes it");
    (site, mirror)
}

pub(crate) async fn writer(site: &Site) -> Django {
    Django::open(&site.url, Tables::default(), Access::Write).await.expect("the tables are Django's")
}

pub(crate) async fn mirror(site: &Site) -> Mirror {
    Mirror::open(&writer(site).await).await.expect("the tables can be mirrored into")
}

/// Folds all, from where the mirror is to the last.
pub(crate) async fn fold(mirror: &mut Mirror, entries: &[Entry]) -> Result<Folded, MirrorError> {
    let from = mirror.standing().await?.expect("it has begun").position;
    let to = entries.last().expect("there are some").position.max(from);
    let steps: Vec<Step<'_>> = entries.iter().map(|entry| Step { entry, over: None }).collect();
    mirror.fold(from, to, &steps).await
}

/// Likewise, and nothing is left out.
pub(crate) async fn folds(mirror: &mut Mirror, entries: &[Entry]) {
    let folded = fold(mirror, entries).await.expect("the database takes it");
    assert!(folded.left_out.is_empty(), "{folded:?}");
}

/// Why what was left out was.
pub(crate) async fn left_out(mirror: &mut Mirror, entries: &[Entry]) -> Vec<Why> {
    let folded = fold(mirror, entries).await.expect("the database takes it");
    folded.left_out.into_iter().map(|left_out| left_out.why).collect()
}

/// All messages as they stand in Django's table.
pub(crate) async fn messages(site: &Site) -> Vec<Message> {
    let (messages, unfit) = sorted(site.open().await.messages(FIRST, i64::MAX, ALL).await.expect("it answers"));
    assert!(unfit.is_empty(), "{unfit:?}");
    messages
}

/// What they say.
pub(crate) async fn contents(site: &Site) -> Vec<String> {
    messages(site).await.into_iter().map(|message| message.content.unwrap_or_default()).collect()
}
