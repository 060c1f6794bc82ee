//! What came of what was asked for.

/// What came of an event that the log was asked to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It stands in the log.
    Taken,
    /// It can never stand there.
    Refused,
    /// The log could not take it now.
    Failed,
}

impl Outcome {
    pub(super) const ALL: [Self; 3] = [Self::Taken, Self::Refused, Self::Failed];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// What came of a socket that a client asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connect {
    /// It is open.
    Opened,
    /// Its client has no right to it.
    Refused,
    /// It could not be opened now.
    Failed,
}

impl Connect {
    pub(super) const ALL: [Self; 3] = [Self::Opened, Self::Refused, Self::Failed];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}
