//! What keeps the mirror from going on, and who has to mend it.

use natter_log::port::LogError;
use natter_model::id::Position;
use natter_store::error::StoreError;
use natter_store_django::mirror::MirrorError;

pub(super) const NATS: &str = "nats";
pub(super) const AUTHZ: &str = "authz";
pub(super) const DJANGO: &str = "django";
/// Asked for what the log no longer holds.
pub(super) const PERSISTENCE: &str = "persistence";
/// That no other mirror is at work.
pub(super) const TURN: &str = "turn";

/// All that a mirror needs.
pub(super) const NEEDS: [&str; 5] = [NATS, AUTHZ, PERSISTENCE, DJANGO, TURN];

/// Why it does not go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Accounts(#[from] StoreError),
    #[error(transparent)]
    Store(StoreError),
    #[error(transparent)]
    Django(#[from] MirrorError),
    #[error("another mirror is at work on the same tables")]
    Turn,
    #[error(
        "the mirror was finished at {at}: Django goes on alone, and has taken ids behind all of Natter's; what was said in \
         Natter since cannot be mirrored. For another move, import Django into a new Natter whose log begins behind them"
    )]
    Finished { at: Position },
    #[error(
        "Django has given out {n_rows} ids of messages from {first} on, where Natter's begin: ids of both would meet; import \
         into a Natter whose log begins behind all of Django's"
    )]
    IdsMeet { n_rows: u64, first: Position },
}

impl Trouble {
    /// What is missing; `None`: waiting does not help.
    pub(super) fn need(&self) -> Option<&'static str> {
        match self {
            Self::Log(_) => Some(NATS),
            Self::Accounts(_) => Some(AUTHZ),
            Self::Store(_) => Some(PERSISTENCE),
            Self::Turn | Self::Django(MirrorError::Overtaken) => Some(TURN),
            Self::Django(MirrorError::Unavailable(_) | MirrorError::Rejected(_)) => Some(DJANGO),
            Self::Django(MirrorError::Column { .. }) | Self::Finished { .. } | Self::IdsMeet { .. } => None,
        }
    }
}
