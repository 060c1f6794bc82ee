//! What REST shows of conversations, messages and accounts.

use natter_model::timestamp::Timestamp;
use natter_proto::v1;
use natter_wire::media;
use serde::Serialize;

use super::origin::Origin;

/// How the place of an attachment is written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Links<'a> {
    /// As a path.
    Paths,
    /// As an absolute URL.
    Absolute(&'a Origin),
}

/// A message.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Message {
    id: u64,
    conversation: u64,
    sender: u64,
    sender_name: String,
    content: Option<String>,
    attachment: Option<String>,
    timestamp: String,
    is_read: bool,
    read_at: Option<String>,
    is_deleted: bool,
    edited_at: Option<String>,
}

impl Message {
    /// The message as it stands.
    pub(crate) fn new(message: v1::Message, links: Links<'_>) -> Self {
        let attachment = message.attachment.map(|path| media::url(&path)).map(|path| match links {
            Links::Paths => path,
            Links::Absolute(origin) => origin.url(&path),
        });
        Self {
            id: message.message_id,
            conversation: message.conversation_id,
            sender: message.sender_id,
            sender_name: message.sender_name,
            content: message.content,
            attachment,
            timestamp: time(message.timestamp_us),
            is_read: message.is_read,
            read_at: message.read_at_us.map(time),
            is_deleted: message.is_deleted,
            edited_at: message.edited_at_us.map(time),
        }
    }
}

impl Message {
    /// When it was said.
    pub(crate) fn timestamp(&self) -> &str {
        &self.timestamp
    }
}

/// A conversation, as one of its participants sees it.
#[derive(Debug, Serialize)]
pub(crate) struct Conversation {
    id: u64,
    participants: Vec<u64>,
    /// The latest, oldest first, deleted ones included.
    messages: Vec<Message>,
    created_at: String,
    last_message: Option<Message>,
    last_message_timestamp: Option<String>,
    unread_count: u64,
    other_participant_id: Option<u64>,
    other_participant_name: Option<String>,
}

impl Conversation {
    /// The conversation and what has been said in it, as `viewer` sees it.
    pub(crate) fn new(
        conversation: &v1::Conversation,
        summary: v1::ConversationSummary,
        viewer: u64,
        links: Links<'_>,
    ) -> Self {
        let messages: Vec<_> = summary.latest.into_iter().map(|message| Message::new(message, links)).collect();
        let last_message = messages.last().cloned();
        let other = conversation.participants.iter().find(|participant| participant.account_id != viewer);
        Self {
            id: conversation.conversation_id,
            participants: ids(conversation),
            created_at: time(conversation.created_at_us),
            last_message_timestamp: last_message.as_ref().map(|message| message.timestamp.clone()),
            last_message,
            messages,
            unread_count: summary.unread_count,
            other_participant_id: other.map(|other| other.account_id),
            other_participant_name: other.map(|other| other.username.clone()),
        }
    }
}

/// A conversation that somebody starts: this and no more.
#[derive(Debug, Serialize)]
pub(crate) struct Started {
    id: u64,
    participants: Vec<u64>,
    created_at: String,
}

impl From<v1::Conversation> for Started {
    fn from(conversation: v1::Conversation) -> Self {
        Self {
            id: conversation.conversation_id,
            participants: ids(&conversation),
            created_at: time(conversation.created_at_us),
        }
    }
}

/// An account, as its owner sees it.
#[derive(Debug, Serialize)]
pub(crate) struct Account {
    id: u64,
    username: String,
    email: String,
    profile_types: Vec<String>,
}

impl From<v1::Account> for Account {
    fn from(account: v1::Account) -> Self {
        Self {
            id: account.account_id,
            username: account.username,
            email: account.email,
            profile_types: account.profile_types,
        }
    }
}

fn ids(conversation: &v1::Conversation) -> Vec<u64> {
    conversation.participants.iter().map(|participant| participant.account_id).collect()
}

fn time(micros: i64) -> String {
    Timestamp::from_micros(micros).to_rest()
}

#[cfg(test)]
mod tests {
    use axum::extract::FromRequestParts as _;
    use axum::http::Request;
    use serde_json::{json, to_value};

    use super::*;

    fn message() -> v1::Message {
        v1::Message {
            message_id: 6,
            conversation_id: 1,
            sender_id: 3,
            sender_name: "mary.o+x".to_owned(),
            content: Some("sixth".to_owned()),
            attachment: Some("chat_attachments/Ünï_1.txt".to_owned()),
            timestamp_us: 1_763_028_360_000_000,
            read_at_us: Some(1_763_028_360_000_500),
            is_read: true,
            ..v1::Message::default()
        }
    }

    async fn origin() -> Origin {
        let (mut parts, ()) = Request::get("/").header("Host", "testserver").body(()).expect("a request").into_parts();
        Origin::from_request_parts(&mut parts, &()).await.expect("infallible")
    }

    #[tokio::test]
    async fn a_message_has_the_keys_that_clients_know() {
        let shown = to_value(Message::new(message(), Links::Paths)).expect("JSON");
        assert_eq!(
            shown,
            json!({
                "id": 6, "conversation": 1, "sender": 3, "sender_name": "mary.o+x", "content": "sixth",
                "attachment": "/media/chat_attachments/%C3%9Cn%C3%AF_1.txt", "timestamp": "2025-11-13T10:06:00Z",
                "is_read": true, "read_at": "2025-11-13T10:06:00.000500Z", "is_deleted": false, "edited_at": null,
            })
        );
        let shown = Message::new(message(), Links::Absolute(&origin().await));
        assert_eq!(shown.attachment.as_deref(), Some("http://testserver/media/chat_attachments/%C3%9Cn%C3%AF_1.txt"));
    }

    #[test]
    fn a_conversation_tells_each_participant_of_the_other() {
        let participant = |account_id, name: &str| v1::Participant { account_id, username: name.to_owned() };
        let conversation = v1::Conversation {
            conversation_id: 1,
            created_at_us: 0,
            participants: vec![participant(2, "john"), participant(3, "mary")],
        };
        let summary = v1::ConversationSummary { conversation_id: 1, latest: vec![message()], unread_count: 4 };
        let shown = Conversation::new(&conversation, summary, 2, Links::Paths);
        assert_eq!((shown.other_participant_id, shown.other_participant_name.as_deref()), (Some(3), Some("mary")));
        assert_eq!(shown.last_message_timestamp.as_deref(), Some("2025-11-13T10:06:00Z"));
        assert_eq!((shown.participants, shown.unread_count), (vec![2, 3], 4));
        let quiet = Conversation::new(&conversation, v1::ConversationSummary::default(), 3, Links::Paths);
        assert_eq!((quiet.other_participant_id, quiet.last_message.is_none()), (Some(2), true));
    }
}
