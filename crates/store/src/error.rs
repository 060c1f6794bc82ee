//! Why a store did not do it.

/// Why a store did not do it. Nothing of the failed call has been kept.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, is busy, or did not answer in time: try again.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The tables are missing or of another version: run `natter migrate`.
    #[error("the store's tables are not ready, run `natter migrate`: {0}")]
    NotMigrated(String),
    /// The database will never take this.
    #[error("the store refuses this: {0}")]
    Rejected(String),
}

impl StoreError {
    /// Which kind of error it is, in a word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::NotMigrated(_) => "not_migrated",
            Self::Rejected(_) => "rejected",
        }
    }
}
