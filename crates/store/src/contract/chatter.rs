//! Things that people say, for tests.

use natter_model::event::{Actor, Body, Entry, Event};
use natter_model::id::{AccountId, ConversationId, EventId, MessageId, Position};
use natter_model::timestamp::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// A participant.
pub fn ana() -> Actor {
    Actor { id: account(2), username: "ana".to_owned() }
}

/// Another participant.
pub fn bob() -> Actor {
    Actor { id: account(3), username: "bob".to_owned() }
}

/// The account with this id.
pub fn account(id: u64) -> AccountId {
    AccountId::new(id).expect("tests use good ids")
}

/// The conversation with this id.
pub fn conversation(id: u64) -> ConversationId {
    ConversationId::new(id).expect("tests use good ids")
}

/// The message with this id.
pub fn message(id: u64) -> MessageId {
    MessageId::new(id).expect("tests use good ids")
}

/// When everybody did what stands at this position: a second apart from the next.
pub fn at(position: u64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_123_456 + i64::try_from(position).expect("a small position") * 1_000_000)
}

/// An entry of conversation 1.
pub fn entry(position: u64, actor: Actor, body: Body) -> Entry {
    entry_in(1, position, actor, body)
}

/// An entry of this conversation.
pub fn entry_in(conversation_id: u64, position: u64, actor: Actor, body: Body) -> Entry {
    let event = Event {
        id: EventId::from_bytes(u128::from(position).to_be_bytes()),
        conversation: conversation(conversation_id),
        actor,
        at: at(position),
        body,
    };
    Entry { position: Position::new(position), previous: Position::START, event }
}

/// Something said.
pub fn posted(content: &str) -> Body {
    Body::Posted { content: content.to_owned(), attachment: None, client_id: None }
}

/// Something said, under a name of the sender's own.
pub fn posted_as(client_id: &str, content: &str) -> Body {
    Body::Posted { content: content.to_owned(), attachment: None, client_id: Some(client_id.to_owned()) }
}

/// A message changed.
pub fn edited(id: u64, content: &str) -> Body {
    Body::Edited { message: message(id), content: content.to_owned() }
}

/// A message taken back.
pub fn deleted(id: u64) -> Body {
    Body::Deleted { message: message(id) }
}

/// A message read.
pub fn read(id: u64) -> Body {
    Body::Read { message: message(id) }
}

/// Three people in three conversations who post (some things again), edit, delete, read and erase, also what they may
/// not: a log of `length` entries.
pub fn log(length: usize) -> impl Strategy<Value = Vec<Entry>> {
    vec((0..20_u8, 2..5_u64, 1..4_u64, any::<Index>(), 0..10_u8), length).prop_map(|steps| {
        let mut log: Vec<Entry> = Vec::new();
        for (number, (what, who, wherever, target, slip)) in (1..).zip(steps) {
            // Holes, as between the entries of one conversation.
            let position = 100 + 2 * number;
            let target = (!log.is_empty()).then(|| target.get(&log));
            let id = target.map_or(position - 1, |target| target.position.get());
            let (conversation, actor) = match target {
                Some(target) if what >= 8 && slip > 0 => (target.event.conversation.get(), target.event.actor.clone()),
                _ => (wherever, Actor { id: account(who), username: format!("user {who}") }),
            };
            let body = match what {
                0..4 => posted_as(["a", "b"][usize::from(slip % 2)], &format!("named at {position}")),
                4..8 => posted(&format!(" said at {position}\n")),
                8..12 => edited(id, &format!("edited at {position}")),
                12..14 => deleted(id),
                14..19 => read(id),
                _ => Body::ConversationDeleted,
            };
            let reader = Actor { id: account(who), username: format!("user {who}") };
            let actor = if matches!(body, Body::Read { .. }) { reader } else { actor };
            log.push(entry_in(conversation, position, actor, body));
        }
        log
    })
}

/// The log as replicas may be given it: in any order, parts of it again, in batches of any size.
pub fn deliveries(log: Vec<Entry>) -> impl Strategy<Value = Vec<Vec<Entry>>> {
    let n_entries = log.len();
    (vec(any::<Index>(), n_entries / 3), vec(1..n_entries.max(2), 1..8))
        .prop_flat_map(move |(again, sizes)| {
            let mut entries = log.clone();
            entries.extend(again.iter().filter(|_| !log.is_empty()).map(|index| index.get(&log).clone()));
            (Just(entries).prop_shuffle(), Just(sizes))
        })
        .prop_map(|(entries, sizes)| {
            let mut rest = entries.as_slice();
            let mut batches = Vec::new();
            for size in sizes.into_iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (batch, others) = rest.split_at(size.min(rest.len()));
                batches.push(batch.to_vec());
                rest = others;
            }
            batches
        })
}
