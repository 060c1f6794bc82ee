//! What can be wrong with a client's frame: a stable code for programs, a text for people.

use std::borrow::Cow;
use std::time::Duration;

use natter_model::text::MAX_CONTENT_CHARS;
use serde::{Serialize, Serializer};

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
    /// Show a new token.
    Auth,
}

/// Why it is not done. Serializes as its [`code`](Problem::code).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The frame is not JSON.
    InvalidJson,
    /// The frame is JSON, but no object.
    NotAnObject,
    /// The frame is binary.
    BinaryFrame,
    /// The frame is longer than this many bytes.
    FrameTooLarge(usize),
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
    MessageNotFound(String),
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
    /// The client takes part in the conversation no longer.
    NotAParticipant,
    /// `token` is absent, nothing, or no text.
    TokenRequired,
    /// The new token is no access token, expired, revoked, or does not open this conversation.
    TokenNotValid,
    /// The new token is that of another account.
    OtherAccount,
    /// It cannot be done now; it may be in this time.
    Unavailable(Duration),
    /// The client, or its account, asks for more than its share; there is room again in this time.
    RateLimited(Duration),
    /// `since` is no position, or one that the log has not reached; what comes is what is new.
    PositionUnknown,
}

impl Problem {
    /// What a program knows it by. Never changes.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidJson => "invalid_json",
            Self::NotAnObject => "not_an_object",
            Self::BinaryFrame => "binary_frame",
            Self::FrameTooLarge(_) => "frame_too_large",
            Self::UnknownType => "unknown_type",
            Self::ContentRequired => "content_required",
            Self::ContentNotText => "content_not_text",
            Self::ContentBlank => "content_blank",
            Self::ContentTooLong => "content_too_long",
            Self::NullCharacter => "null_character",
            Self::InvalidClientId => "invalid_client_id",
            Self::MessageIdRequired => "message_id_required",
            Self::InvalidMessageId => "invalid_message_id",
            Self::MessageNotFound(_) => "message_not_found",
            Self::InvalidIsTyping => "invalid_is_typing",
            Self::NotYourMessage => "not_your_message",
            Self::MessageDeleted => "message_deleted",
            Self::AlreadyDeleted => "already_deleted",
            Self::ConversationNotFound => "conversation_not_found",
            Self::NotAParticipant => "not_a_participant",
            Self::TokenRequired => "token_required",
            Self::TokenNotValid => "token_not_valid",
            Self::OtherAccount => "other_account",
            Self::Unavailable(_) => "unavailable",
            Self::RateLimited(_) => "rate_limited",
            Self::PositionUnknown => "position_unknown",
        }
    }

    /// When the same frame may succeed. `None`: not by waiting.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable(wait) | Self::RateLimited(wait) => Some(*wait),
            _ => None,
        }
    }

    /// What to tell a person who wanted to do this.
    pub fn text(&self, deed: Deed) -> Cow<'static, str> {
        use Deed::{Auth, Delete, Edit, Message, Ping, Read, Typing};
        let text = match (self, deed) {
            (Self::InvalidJson, _) => "Invalid JSON format",
            (Self::BinaryFrame, _) => "Binary frames are not supported",
            (Self::UnknownType, _) => {
                "Unknown type; known types are message, chat_message, read, typing, edit, delete, auth and ping"
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
            (Self::NotAParticipant, _) => "You are not a participant of this conversation",
            (Self::TokenRequired, _) => "token is required and must be a string",
            (Self::TokenNotValid, _) => "The token is not valid; the one before stays in force",
            (Self::OtherAccount, _) => "The token is of another account; the one before stays in force",
            (Self::RateLimited(_), _) => "Too many frames in too short a time; please slow down and try again",
            (Self::PositionUnknown, _) => "The position to resume after is unknown; what comes is what is new",
            (Self::NotAnObject | Self::NullCharacter | Self::Unavailable(_), Message | Typing | Ping | Auth) => {
                "Failed to send message. Please try again."
            }
            (Self::NotAnObject | Self::NullCharacter | Self::Unavailable(_), Read) => "Failed to mark message as read",
            (Self::NotAnObject | Self::NullCharacter | Self::Unavailable(_), Edit) => "Failed to edit message",
            (Self::NotAnObject | Self::NullCharacter | Self::Unavailable(_), Delete) => "Failed to delete message",
            (Self::ContentTooLong, _) => return content_too_long(deed).into(),
            (Self::MessageNotFound(id), _) => return format!("Message {id} not found").into(),
            (Self::FrameTooLarge(limit), _) => return format!("Frame is too large (maximum {limit} bytes)").into(),
        };
        text.into()
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

fn content_too_long(deed: Deed) -> String {
    let what = if deed == Deed::Edit { "Content" } else { "Message content" };
    format!("{what} is too long (maximum {MAX_CONTENT_CHARS} characters)")
}
