//! Whole logs, and the ways in which replicas may be given them, for tests.

use natter_model::event::{Actor, Body, Entry};
use natter_model::id::{EventId, MessageId, Position};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::bygones::{self, BYGONE};
use super::chatter::{account, conversation, deleted, edited, entry_in, message, posted, posted_as, read, relayed};

/// Ids from here on are positions; those below were given by another system.
const FIRST: u64 = 1_000;

/// The other system gives ids in order, and relays what gets an id from here on.
const RELAYED: u64 = 100;

/// The log of [`log`] is one of several of this length.
pub(super) const ROUND: u64 = 10_000;

/// Did another system give the message its id?
pub fn is_given(id: MessageId) -> bool {
    id.get() % ROUND < FIRST
}

/// Three people in three conversations who post (some things again, some in another system), edit, delete, read and
/// erase, also what they may not, and what was only said in the other system: a log of `length` entries.
pub fn log(length: usize) -> impl Strategy<Value = Vec<Entry>> {
    vec((0..20_u8, 2..5_u64, 1..4_u64, any::<Index>(), 0..10_u8), length).prop_map(|steps| {
        let mut log: Vec<Entry> = Vec::new();
        let mut given: Vec<Entry> = Vec::new();
        for (number, (what, who, wherever, target, slip)) in (1..).zip(steps) {
            // Holes, as between the entries of one conversation.
            let position = FIRST + 2 * number;
            let reader = Actor { id: account(who), username: format!("user {who}") };
            let target = (!log.is_empty()).then(|| target.get(&log));
            let (id, place, sender) = match target {
                _ if slip == 9 => (BYGONE + who, bygones::place(BYGONE + who), bygones::sender(BYGONE + who)),
                Some(target) => {
                    let id = target.message_id().map_or(target.position.get(), MessageId::get);
                    (id, target.event.conversation.get(), target.event.actor.clone())
                }
                None => (position - 1, wherever, reader.clone()),
            };
            let (place, sender) = if what >= 8 && slip > 0 { (place, sender) } else { (wherever, reader.clone()) };
            let body = match what {
                0..4 => posted_as(["a", "b"][usize::from(slip % 2)], &format!("named at {position}")),
                6..8 if slip == 0 && !given.is_empty() => {
                    // Appended by two who heard it.
                    let again = Entry { position: Position::new(position), ..given[given.len() - 1].clone() };
                    log.push(again);
                    continue;
                }
                6..8 => relayed(RELAYED + number, &format!(" relayed at {position}")),
                4..6 => posted(&format!(" said at {position}\n")),
                8..12 => edited(id, &format!("edited at {position}")),
                12..14 => deleted(id),
                14..19 => read(id),
                _ => Body::ConversationDeleted,
            };
            let actor = if matches!(body, Body::Read { .. }) { reader } else { sender };
            let entry = entry_in(place, position, actor, body);
            match &entry.event.body {
                Body::Posted { message: Some(_), .. } => given.push(entry.clone()),
                Body::ConversationDeleted => given.retain(|it| it.event.conversation != entry.event.conversation),
                _ => (),
            }
            log.push(entry);
        }
        log
    })
}

/// The same log later on, beside the others: other conversations, positions and ids.
pub fn in_round(log: Vec<Entry>, round: u64) -> Vec<Entry> {
    let mut log = log;
    for entry in &mut log {
        entry.position = Position::new(entry.position.get() + ROUND * round);
        entry.event.conversation = conversation(entry.event.conversation.get() + 10 * round);
        entry.event.id = EventId::fresh();
        if let Body::Edited { message: id, .. } | Body::Deleted { message: id } | Body::Read { message: id } =
            &mut entry.event.body
        {
            *id = message(id.get() + ROUND * round);
        }
        if let Body::Posted { message: Some(id), .. } = &mut entry.event.body {
            *id = message(id.get() + ROUND * round);
            entry.event.id = EventId::of_relayed_post(entry.event.conversation, *id);
        }
    }
    log
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
