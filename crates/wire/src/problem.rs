//! What can be wrong with a client's frame: a stable code for programs, a text for people.

use std::borrow::Cow;

use natter_model::text::MAX_CONTENT_CHARS;
use serde::Serialize;

/// What a client frame asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// To say something; also whatever cannot be told apart from it.
    Message,
    /// To mark a message as read.
    Read,
    /// To tell that one types.
    Typing,
    /// To change what a message says.
    Edit,
    /// To take a message back.
    Delete,
    /// To hear that the server is there.
    Ping,
}

/// Why it is not done. Serializes as its `code`, which never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    /// The frame is not JSON.
    InvalidJson,
    /// The frame is JSON, but no object.
    NotAnObject,
    /// The frame is binary.
    BinaryFrame,
    /// The frame is longer than this many bytes.
    FrameTooLarge(#[serde(skip)] usize),
    /// The frame's `type` is a text that means nothing.
    UnknownType,
    /// Content is absent or nothing.
    ContentRequired,
    /// Content is something else than text.
    ContentNotText,
    /// Content is only whitespace.
    ContentBlank,
    /// Content has too many code points.
    ContentTooLong,
    /// Content holds U+0000.
    NullCharacter,
    /// `client_id` is no text of 1 to 64 characters.
    InvalidClientId,
    /// `message_id` is absent or nothing.
    MessageIdRequired,
    /// `message_id` is no integer.
    InvalidMessageId,
    /// There is no message with this id here.
    MessageNotFound(#[serde(skip)] String),
    /// `is_typing` is neither true nor false.
    InvalidIsTyping,
    /// Somebody else sent the message.
    NotYourMessage,
    /// The message is deleted and cannot be edited.
    MessageDeleted,
    /// The message is deleted and cannot be deleted.
    AlreadyDeleted,
    /// The conversation is gone.
    ConversationNotFound,
    /// It cannot be done now; try again.
    Unavailable,
    /// `since` is no position, or one that the log has not reached; what comes is what is new.
    PositionUnknown,
}

impl Problem {
    /// What to tell a person who wanted to do this.
    pub fn text(&self, deed: Deed) -> Cow<'static, str> {
        use Deed::{Delete, Edit, Message, Ping, Read, Typing};
        let text = match (self, deed) {
            (Self::InvalidJson, _) => "Invalid JSON format",
            (Self::BinaryFrame, _) => "Binary frames are not supported",
            (Self::UnknownType, _) => {
                "Unknown type; known types are message, chat_message, read, typing, edit, delete and ping"
            }
            (Self::ContentRequired | Self::ContentNotText, Edit) => {
                "Valid 'content' or 'new_content' is required for editing"
            }
            (Self::ContentRequired, _) => "Message content is required",
            (Self::ContentNotText, _) => "Message content must be a string",
            (Self::ContentBlank, Edit) => "Content cannot be empty or whitespace only",
            (Self::ContentBlank, _) => "Message content cannot be empty or whitespace only",
            (Self::InvalidClientId, _) => "client_id must be a string of 1 to 64 characters",
            (Self::MessageIdRequired, Edit) => "message_id is required for editing",
            (Self::MessageIdRequired, Delete) => "message_id is required for deletion",
            (Self::MessageIdRequired, _) => "message_id is required for read receipts",
            (Self::InvalidMessageId, _) => "message_id must be a valid integer",
            (Self::InvalidIsTyping, _) => "is_typing must be a boolean value",
            (Self::NotYourMessage, Delete) => "You can only delete your own messages",
            (Self::NotYourMessage, _) => "You can only edit your own messages",
            (Self::MessageDeleted, _) => "Cannot edit a deleted message",
            (Self::AlreadyDeleted, _) => "Message is already deleted",
            (Self::ConversationNotFound, _) => "Conversation not found",
            (Self::PositionUnknown, _) => "The position to resume after is unknown; what comes is what is new",
            (Self::NotAnObject | Self::NullCharacter | Self::Unavailable, Message | Typing | Ping) => {
                "Failed to send message. Please try again."
            }
            (Self::NotAnObject | Self::NullCharacter | Self::Unavailable, Read) => "Failed to mark message as read",
            (Self::NotAnObject | Self::NullCharacter | Self::Unavailable, Edit) => "Failed to edit message",
            (Self::NotAnObject | Self::NullCharacter | Self::Unavailable, Delete) => "Failed to delete message",
            (Self::ContentTooLong, _) => return content_too_long(deed).into(),
            (Self::MessageNotFound(id), _) => return format!("Message {id} not found").into(),
            (Self::FrameTooLarge(limit), _) => return format!("Frame is too large (maximum {limit} bytes)").into(),
        };
        text.into()
    }
}

fn content_too_long(deed: Deed) -> String {
    let what = if deed == Deed::Edit { "Content" } else { "Message content" };
    format!("{what} is too long (maximum {MAX_CONTENT_CHARS} characters)")
}
