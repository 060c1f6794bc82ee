//! Why the server closes a socket, as a code.

/// A WebSocket close code. Below 4000: RFC 6455 and IANA's registry; above: this protocol's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseCode {
    /// The client left.
    Normal,
    /// The frames break the WebSocket protocol.
    ProtocolError,
    /// A text frame is not UTF-8.
    NotUtf8,
    /// A message is larger than the server takes at all.
    TooBig,
    /// The server ends; reconnect.
    Restart,
    /// The server is full; try again later.
    Full,
    /// Something failed at the server; try again.
    ServerError,
    /// The token is missing or not valid, or its account is gone.
    Token,
    /// The account is not a participant.
    NotAParticipant,
    /// There is no such conversation, or no more.
    NoSuchConversation,
}

impl CloseCode {
    /// The number in the close frame.
    pub const fn number(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::ProtocolError => 1002,
            Self::NotUtf8 => 1007,
            Self::TooBig => 1009,
            Self::Restart => 1012,
            Self::Full => 1013,
            Self::ServerError => 4000,
            Self::Token => 4001,
            Self::NotAParticipant => 4003,
            Self::NoSuchConversation => 4004,
        }
    }
}
