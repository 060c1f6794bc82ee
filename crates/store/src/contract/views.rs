//! What a reader has on the screen: of one conversation, the messages and how far the others have read.

use std::collections::BTreeMap;

use natter_model::event::{Body, Entry};
use natter_model::id::{AccountId, ConversationId, MessageId};

use super::logs::is_given;
use super::reference::Reference;
use crate::messages::Message;

/// A conversation as somebody sees it who is told of everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    messages: BTreeMap<MessageId, Message>,
    marks: BTreeMap<(AccountId, bool), MessageId>,
}

impl View {
    /// What a reader of the whole log sees of this conversation.
    pub fn of(log: &[Entry], conversation: ConversationId) -> Self {
        let reference = Reference::of(log);
        let here = reference.messages.into_iter().filter(|(_, message)| message.conversation == conversation);
        let marks = reference.marks.into_iter().filter(|((of, ..), _)| *of == conversation);
        Self {
            messages: here.map(|(id, message)| (id, shown(message))).collect(),
            marks: marks.map(|((_, account, kind), message)| ((account, kind), message)).collect(),
        }
    }

    /// The reader believes what it is told.
    pub fn is_told(&mut self, entry: &Entry) {
        let event = &entry.event;
        match &event.body {
            Body::Posted { content, attachment, .. } => {
                let id = entry.message_id().expect("tests use good positions");
                let message = Message {
                    id,
                    conversation: event.conversation,
                    sender: event.actor.id,
                    sender_name: event.actor.username.clone(),
                    content: Some(content.clone()),
                    attachment: attachment.clone(),
                    timestamp: event.at,
                    is_read: false,
                    read_at: None,
                    is_deleted: false,
                    edited_at: None,
                };
                assert_eq!(self.messages.insert(id, message), None, "no message is told twice");
            }
            Body::Edited { message, content } => {
                let message = self.messages.get_mut(message).expect("an edit is of a message that was told");
                message.content = Some(content.clone());
                message.edited_at = Some(event.at);
            }
            Body::Deleted { message } => {
                let message = self.messages.get_mut(message).expect("a delete is of a message that was told");
                message.is_deleted = true;
                *message = shown(message.clone());
            }
            Body::Read { message } => {
                self.marks.insert((event.actor.id, is_given(*message)), *message);
            }
            Body::ConversationDeleted => {
                self.messages.clear();
                self.marks.clear();
            }
            Body::ParticipantRemoved => panic!("there is no row of it"),
        }
    }
}

/// As it is on the screen: marks tell who has read it, and of a deleted message nothing is left.
fn shown(message: Message) -> Message {
    let message = Message { is_read: false, read_at: None, ..message };
    if message.is_deleted {
        return Message { content: Some(String::new()), attachment: None, edited_at: None, ..message };
    }
    message
}
