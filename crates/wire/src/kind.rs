//! What a frame of the server is.

/// The `type` of a frame that the server sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// A message was posted.
    ChatMessage,
    /// Somebody has read up to a message.
    ReadReceipt,
    /// A message was changed.
    Edit,
    /// A message was taken back.
    Delete,
    /// Somebody types, or does so no longer.
    Typing,
    /// The log has the sender's message.
    Ack,
    /// The client has got all that it missed.
    CaughtUp,
    /// The answer to a ping.
    Pong,
    /// The answer to a new token.
    Authenticated,
    /// What was asked for is not done.
    Error,
}

impl FrameKind {
    /// All of them, each at the place that `self as usize` names.
    pub const ALL: [Self; 10] = [
        Self::ChatMessage,
        Self::ReadReceipt,
        Self::Edit,
        Self::Delete,
        Self::Typing,
        Self::Ack,
        Self::CaughtUp,
        Self::Pong,
        Self::Authenticated,
        Self::Error,
    ];

    /// The `type` in its JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChatMessage => "chat_message",
            Self::ReadReceipt => "read_receipt",
            Self::Edit => "edit",
            Self::Delete => "delete",
            Self::Typing => "typing",
            Self::Ack => "ack",
            Self::CaughtUp => "caught_up",
            Self::Pong => "pong",
            Self::Authenticated => "authenticated",
            Self::Error => "error",
        }
    }
}
