//! What another system says of its messages when it is asked, now and later, for tests.

use std::collections::BTreeSet;

use natter_model::event::{Actor, Body, Entry};
use natter_model::id::ConversationId;
use natter_model::text::strip;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::chatter::{account, at, conversation, message};
use super::logs::{ROUND, deliveries};
use crate::messages::Message;

/// From this id on lie the messages that only the other system has: said before those that it relays.
pub(super) const BYGONE: u64 = 10;
const N_BYGONES: u64 = 6;

/// Where a message was said that only the other system has.
pub(super) fn place(id: u64) -> u64 {
    1 + id % 3
}

/// Who said it.
pub(super) fn sender(id: u64) -> Actor {
    let who = 2 + id % 2;
    Actor { id: account(who), username: format!("user {who}") }
}

/// A part of what a store is given.
#[derive(Debug, Clone)]
pub enum Step {
    /// Entries of the log.
    Log(Vec<Entry>),
    /// Messages of the other system.
    Import(Vec<Message>),
}

/// What the other system had when it was asked first, and when it was asked again.
pub type Snapshots = [Vec<Message>; 2];

/// Of the messages in this log (of this round) that the other system posted, some; of others, too. Not of conversations
/// that were ended: what is imported of those depends on when.
pub fn snapshots(log: &[Entry], round: u64) -> impl Strategy<Value = Snapshots> + use<> {
    let ended: BTreeSet<ConversationId> = log
        .iter()
        .filter(|entry| entry.event.body == Body::ConversationDeleted)
        .map(|entry| entry.event.conversation)
        .collect();
    let relayed = log.iter().filter(|entry| !ended.contains(&entry.event.conversation)).filter_map(as_it_was);
    let bygones = (BYGONE..BYGONE + N_BYGONES).map(move |id| {
        let actor = sender(id);
        let place = conversation(place(id) + 10 * round);
        of(id + ROUND * round, place, &actor, Some(format!("of old {id}")))
    });
    let mut all: Vec<Message> = relayed.chain(bygones).collect();
    all.sort_by_key(|message| message.id);
    all.dedup_by_key(|message| message.id);
    let n = all.len();
    (vec(any::<u8>(), n), vec(any::<u8>(), n)).prop_map(move |(first, second)| {
        let both = all.iter().zip(first.into_iter().zip(second));
        let [mut one, mut other] = [Vec::new(), Vec::new()];
        for (message, (first, second)) in both {
            // What was done to a message is not undone.
            one.extend((first & 1 > 0).then(|| changed(message, first, "there")));
            other.extend(((first | second) & 1 > 0).then(|| changed(message, first | second, "there again")));
        }
        [one, other]
    })
}

/// The log in some order, parts of it again, and the snapshots in between.
pub fn interleaved(log: Vec<Entry>, [first, second]: Snapshots) -> impl Strategy<Value = Vec<Step>> {
    (deliveries(log), any::<Index>(), any::<Index>()).prop_map(move |(batches, here, there)| {
        let places = [here.index(batches.len() + 1), there.index(batches.len() + 1)];
        let mut steps: Vec<Step> = batches.into_iter().map(Step::Log).collect();
        steps.insert(places[0].max(places[1]), Step::Import(second.clone()));
        steps.insert(places[0].min(places[1]), Step::Import(first.clone()));
        steps
    })
}

fn as_it_was(entry: &Entry) -> Option<Message> {
    let Body::Posted { message: Some(id), content, .. } = &entry.event.body else { return None };
    let content = Some(strip(content).to_owned());
    let message = of(id.get(), entry.event.conversation, &entry.event.actor, content);
    Some(Message { timestamp: entry.event.at, ..message })
}

fn of(id: u64, conversation: ConversationId, sender: &Actor, content: Option<String>) -> Message {
    Message {
        id: message(id),
        conversation,
        sender: sender.id,
        sender_name: sender.username.clone(),
        content,
        attachment: Some(format!("chat_attachments/{id}.png")),
        timestamp: at(id),
        is_read: false,
        read_at: None,
        is_deleted: false,
        edited_at: None,
    }
}

fn changed(message: &Message, how: u8, content: &str) -> Message {
    let mut message = message.clone();
    let at = at(message.id.get() + 1);
    if how & 6 == 6 {
        (message.content, message.edited_at) = (Some(content.to_owned()), Some(at));
    }
    if how & 8 > 0 {
        (message.is_read, message.read_at) = (true, Some(at));
    }
    if how & 48 == 48 {
        (message.is_deleted, message.content) = (true, Some(String::new()));
    }
    message
}
