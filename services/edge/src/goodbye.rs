//! Why a connection ends.

use natter_identity::verifier::TokenError;
use natter_wire::close::CloseCode;

use crate::gate::GateError;
use crate::lobby::JoinError;

/// Why a connection ended. `Display` is what the client is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Goodbye {
    /// The client closed it.
    #[error("goodbye")]
    Left,
    /// The line broke.
    #[error("the line is gone")]
    Gone,
    /// The client has not been heard of for too long.
    #[error("no sign of life from the client")]
    Silent,
    /// This edge is ending.
    #[error("the server restarts; please reconnect")]
    Draining,
    /// This edge has as many connections as it may.
    #[error("the server is full; please try again later")]
    Full,
    /// There is no token.
    #[error("a token is required")]
    NoToken,
    /// The token is no access token, or not a good one.
    #[error("{0}")]
    BadToken(#[from] TokenError),
    /// The token names no account.
    #[error("the token's account does not exist")]
    NoSuchAccount,
    /// The token's account is switched off.
    #[error("the token's account is inactive")]
    InactiveAccount,
    /// The account does not take part.
    #[error("you are not a participant of this conversation")]
    NotAParticipant,
    /// There never was such a conversation.
    #[error("there is no such conversation")]
    NoSuchConversation,
    /// Somebody deleted the conversation.
    #[error("the conversation was deleted")]
    ConversationDeleted,
    /// Something that is needed does not answer.
    #[error("something at the server is unavailable; please try again")]
    Unavailable,
    /// The client's message is too large even to be refused by a frame.
    #[error("the message is too large")]
    TooBig,
    /// The client's text is no text.
    #[error("text frames must be UTF-8")]
    NotUtf8,
    /// The client does not speak WebSocket.
    #[error("the frames break the WebSocket protocol")]
    ProtocolError,
}

impl Goodbye {
    /// The code to close with. `None`: there is nobody to tell, or the client has said it itself.
    pub(crate) fn code(&self) -> Option<CloseCode> {
        match self {
            Self::Left | Self::Gone => None,
            Self::Silent => Some(CloseCode::Normal),
            Self::Draining => Some(CloseCode::Restart),
            Self::Full => Some(CloseCode::Full),
            Self::NoToken | Self::BadToken(_) | Self::NoSuchAccount | Self::InactiveAccount => Some(CloseCode::Token),
            Self::NotAParticipant => Some(CloseCode::NotAParticipant),
            Self::NoSuchConversation | Self::ConversationDeleted => Some(CloseCode::NoSuchConversation),
            Self::Unavailable => Some(CloseCode::ServerError),
            Self::TooBig => Some(CloseCode::TooBig),
            Self::NotUtf8 => Some(CloseCode::NotUtf8),
            Self::ProtocolError => Some(CloseCode::ProtocolError),
        }
    }

    /// Has the connection been given up in the middle of what the client sent?
    pub(crate) fn leaves_bytes_unread(&self) -> bool {
        matches!(self, Self::TooBig | Self::NotUtf8 | Self::ProtocolError)
    }
}

impl From<GateError> for Goodbye {
    fn from(error: GateError) -> Self {
        match error {
            GateError::NoSuchAccount => Self::NoSuchAccount,
            GateError::InactiveAccount => Self::InactiveAccount,
            GateError::NoSuchConversation => Self::NoSuchConversation,
            GateError::NotAParticipant => Self::NotAParticipant,
            GateError::Unavailable(_) => Self::Unavailable,
        }
    }
}

impl From<JoinError> for Goodbye {
    fn from(error: JoinError) -> Self {
        match error {
            JoinError::LogAway => Self::Unavailable,
            JoinError::Deleted => Self::ConversationDeleted,
            JoinError::Closed => Self::Draining,
        }
    }
}

impl From<axum::Error> for Goodbye {
    fn from(error: axum::Error) -> Self {
        use tungstenite::Error;
        match error.into_inner().downcast::<Error>().map(|error| *error) {
            Ok(Error::Capacity(_)) => Self::TooBig,
            Ok(Error::Utf8(_)) => Self::NotUtf8,
            Ok(Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake)) => Self::Gone,
            Ok(Error::Protocol(_)) => Self::ProtocolError,
            _ => Self::Gone,
        }
    }
}
