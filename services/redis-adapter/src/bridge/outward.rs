//! What Django's clients are told of what happened at Natter.

use natter_model::event::{Actor, Body, Entry, Origin, Signal, SignalBody};
use natter_model::id::ConversationId;
use natter_wire::media;

use crate::layer::event::{GroupEvent, GroupMessage, Kind};

/// An entry of the log, as Django's consumer expects it, in the keys of both dialects. `None`: Django knows it already,
/// or has no word for it.
pub(crate) fn event(entry: &Entry) -> Option<GroupMessage> {
    let event = &entry.event;
    if event.origin == Origin::Channels {
        return None;
    }
    let at = event.at.to_frame();
    let said = match &event.body {
        Body::Posted { content, attachment, .. } => {
            let said = about(Kind::ChatMessage, entry.message_id()?.get());
            let said = by(said, "sender", &event.actor).with("content", content.as_str()).with("timestamp", at);
            match attachment {
                Some(path) => said.with("attachment", media::url(path)),
                None => said,
            }
        }
        Body::Edited { message, content } => {
            let said = about(Kind::MessageEdited, message.get());
            by(said.with("content", content.as_str()).with("edited_at", at), "editor", &event.actor)
        }
        Body::Deleted { message } => by(about(Kind::MessageDeleted, message.get()), "deleter", &event.actor),
        Body::Read { message } => {
            by(about(Kind::ReadReceipt, message.get()), "reader", &event.actor).with("read_at", at)
        }
        Body::ConversationDeleted | Body::ParticipantRemoved => return None,
    };
    Some(GroupMessage { group: group(event.conversation), event: said })
}

/// The same of a signal.
pub(crate) fn signal(signal: &Signal) -> Option<GroupMessage> {
    if signal.origin == Origin::Channels {
        return None;
    }
    let SignalBody::Typing { is_typing } = signal.body;
    let said = GroupEvent::new(Kind::TypingIndicator)
        .with("username", signal.actor.username.as_str())
        .with("profile_id", signal.actor.id.get())
        .with("is_typing", is_typing);
    Some(GroupMessage { group: group(signal.conversation), event: said })
}

/// What the conversation's group is called.
pub(crate) fn group(conversation: ConversationId) -> String {
    format!("chat_{conversation}")
}

fn about(kind: Kind, message_id: u64) -> GroupEvent {
    GroupEvent::new(kind).with("message_id", message_id)
}

/// In the keys of the seed (`sender`), and of the later commits (`sender_id`, `sender_name`).
fn by(said: GroupEvent, role: &str, actor: &Actor) -> GroupEvent {
    said.with(role, actor.username.as_str())
        .with(&format!("{role}_id"), actor.id.get())
        .with(&format!("{role}_name"), actor.username.as_str())
}

#[cfg(test)]
mod tests;
