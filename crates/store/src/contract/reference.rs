//! What a log adds up to, told the simplest way: read once, in order, by a reader with a perfect memory, who has read
//! before what another system had to say.

use std::collections::{BTreeMap, BTreeSet};

use natter_model::event::{Body, Entry};
use natter_model::id::{AccountId, ConversationId, MessageId, Position};
use natter_model::text::strip;

use super::logs::is_given;
use crate::fold::MarkKey;
use crate::messages::Message;
use crate::resend::ClientKey;

/// The messages and read marks that a log adds up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reference {
    /// By id.
    pub messages: BTreeMap<MessageId, Message>,
    /// Those that were there before, under the same `client_id`.
    pub resends: BTreeMap<MessageId, Message>,
    /// Whose names have been used.
    keys: BTreeSet<ClientKey>,
    /// The newest message that each account marked as read in each conversation, among those with given ids and others.
    pub marks: BTreeMap<MarkKey, MessageId>,
    /// Where messages stand; those that were only imported where their ids say.
    places: BTreeMap<MessageId, Position>,
    /// Imported as read.
    read_by_all: BTreeSet<MessageId>,
}

impl Reference {
    /// Reads a log that is in order.
    pub fn of(log: &[Entry]) -> Self {
        Self::with_imports(&[], log)
    }

    /// The same after another system's messages, with which it does not matter when they were brought in.
    pub fn with_imports(imports: &[Message], log: &[Entry]) -> Self {
        let mut reference = Self::default();
        let ends = |entry: &Entry| entry.event.body == Body::ConversationDeleted;
        let ended: BTreeSet<_> = log.iter().filter(|entry| ends(entry)).map(|entry| entry.event.conversation).collect();
        for message in imports.iter().filter(|message| !ended.contains(&message.conversation)) {
            reference.messages.insert(message.id, message.clone());
            reference.places.insert(message.id, message.id.into());
            reference.read_by_all.extend(message.is_read.then_some(message.id));
        }
        for entry in log {
            reference.read(entry);
        }
        reference
    }

    /// How many messages this account has not read in that conversation.
    pub fn unread_count(&self, account: AccountId, conversation: ConversationId) -> u64 {
        let [ours, given] = [false, true].map(|kind| self.marks.get(&(conversation, account, kind)));
        let unread = self.messages.values().filter(|message| {
            // Of one kind the ids tell which came first, across kinds the places do.
            let is_behind = |mark: &MessageId| match is_given(*mark) == is_given(message.id) {
                true => message.id > *mark,
                false => self.places[&message.id] > self.places[mark],
            };
            let is_behind = [ours, given].into_iter().flatten().all(is_behind);
            let counts = is_behind && !message.is_deleted && !self.read_by_all.contains(&message.id);
            message.conversation == conversation && message.sender != account && counts
        });
        unread.count() as u64
    }

    fn read(&mut self, entry: &Entry) {
        let event = &entry.event;
        if let Body::Posted { content, attachment, .. } = &event.body {
            let id = entry.message_id().expect("tests use good positions");
            let place = self.places.entry(id).or_insert(entry.position);
            if *place != entry.position {
                // Imported, or it stands in the log again.
                if *place == Position::from(id) {
                    *place = entry.position;
                }
                return;
            }
            let message = Message {
                id,
                conversation: event.conversation,
                sender: event.actor.id,
                sender_name: event.actor.username.clone(),
                content: Some(strip(content).to_owned()),
                attachment: attachment.clone(),
                timestamp: event.at,
                is_read: false,
                read_at: None,
                is_deleted: false,
                edited_at: None,
            };
            let is_resend = ClientKey::of_event(event).is_some_and(|key| !self.keys.insert(key));
            let messages = if is_resend { &mut self.resends } else { &mut self.messages };
            messages.insert(id, message);
        }
        if event.body == Body::ConversationDeleted {
            self.messages.retain(|_, message| message.conversation != event.conversation);
            self.resends.retain(|_, message| message.conversation != event.conversation);
            self.keys.retain(|key| key.conversation != event.conversation);
            self.marks.retain(|(conversation, _, _), _| *conversation != event.conversation);
            let is_there = |id: &MessageId| self.messages.contains_key(id) || self.resends.contains_key(id);
            self.places.retain(|id, _| is_there(id));
        }
        let (Body::Edited { message: id, .. } | Body::Deleted { message: id } | Body::Read { message: id }) =
            &event.body
        else {
            return;
        };
        let message = self.messages.get_mut(id).or_else(|| self.resends.get_mut(id));
        let Some(message) = message.filter(|message| message.conversation == event.conversation) else { return };
        let by_sender = message.sender == event.actor.id;
        match &event.body {
            Body::Edited { content, .. } if by_sender => {
                message.edited_at = Some(event.at);
                if !message.is_deleted {
                    message.content = Some(strip(content).to_owned());
                }
            }
            Body::Deleted { .. } if by_sender => {
                message.is_deleted = true;
                message.content = Some(String::new());
                message.attachment = None;
            }
            Body::Read { .. } => {
                message.is_read = true;
                message.read_at = Some(event.at);
                let key = (event.conversation, event.actor.id, is_given(*id));
                let mark = self.marks.entry(key).or_insert(*id);
                *mark = (*mark).max(*id);
            }
            _ => (),
        }
    }
}

/// The highest position in a log.
pub fn last(log: &[Entry]) -> Position {
    log.iter().map(|entry| entry.position).max().unwrap_or_default()
}
