//! Why a connection ends.

use std::time::Duration;

use natter_identity::verifier::TokenError;
use natter_keys::Unverified;
use natter_wire::close::CloseCode;
use natter_wire::retry::close_reason;

use crate::gate::GateError;
use crate::lobby::JoinError;
use crate::retry;

/// Why a connection ended. `Display` is for people, [`Goodbye::reason`] what the client is told.
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
    /// The client has not read what it was sent for too long.
    #[error("you do not read what you are sent; please reconnect")]
    TooSlow,
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
            Self::TooSlow | Self::Full => Some(CloseCode::Full),
            Self::NoToken | Self::BadToken(_) | Self::NoSuchAccount | Self::InactiveAccount => Some(CloseCode::Token),
            Self::NotAParticipant => Some(CloseCode::NotAParticipant),
            Self::NoSuchConversation | Self::ConversationDeleted => Some(CloseCode::NoSuchConversation),
            Self::Unavailable => Some(CloseCode::ServerError),
            Self::TooBig => Some(CloseCode::TooBig),
            Self::NotUtf8 => Some(CloseCode::NotUtf8),
            Self::ProtocolError => Some(CloseCode::ProtocolError),
        }
    }

    /// What to tell the client. Where coming back helps, it ends with when to do so.
    pub(crate) fn reason(&self) -> String {
        match self.retry_after() {
            Some(wait) => close_reason(&self.to_string(), wait),
            None => self.to_string(),
        }
    }

    /// Did this side decide it about somebody who was here and would have stayed? An expired token is none: its owner knew.
    pub(crate) fn is_decision(&self) -> bool {
        match self {
            Self::TooSlow | Self::NotAParticipant | Self::ConversationDeleted | Self::InactiveAccount => true,
            Self::BadToken(error) => *error != TokenError::Expired,
            _ => false,
        }
    }

    /// Would coming back the same way end the same way?
    pub(crate) fn is_final(&self) -> bool {
        self.retry_after().is_none()
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Draining | Self::TooSlow => Some(retry::when_draining()),
            Self::Full => Some(retry::when_full()),
            Self::Unavailable => Some(retry::when_unavailable()),
            _ => None,
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
            GateError::TokenRevoked => Self::BadToken(TokenError::Blacklisted),
            GateError::Unavailable(_) => Self::Unavailable,
        }
    }
}

impl From<Unverified> for Goodbye {
    fn from(unverified: Unverified) -> Self {
        match unverified {
            Unverified::Refused(error) => Self::BadToken(error),
            Unverified::Away => Self::Unavailable,
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

#[cfg(test)]
mod tests {
    use super::*;
    use natter_wire::retry::of_close_reason;

    #[test]
    fn who_may_come_back_is_told_when_in_a_close_frame() {
        for goodbye in [Goodbye::Draining, Goodbye::TooSlow, Goodbye::Full, Goodbye::Unavailable] {
            let reason = goodbye.reason();
            assert!(reason.len() <= 123, "a close frame has no room for {reason}");
            assert!(of_close_reason(&reason).is_some_and(|wait| !wait.is_zero()), "{reason}");
        }
        assert_eq!(of_close_reason(&Goodbye::NotAParticipant.reason()), None);
    }
}
