//! Why nothing was written.

use crate::error::DjangoError;

/// Why the mirror did not do it. Nothing of it is done.
#[derive(Debug, Clone, thiserror::Error)]
pub enum MirrorError {
    /// The database cannot be reached, is busy, or refuses us: later it may work.
    #[error("Django's database cannot be used: {0}")]
    Unavailable(String),
    /// The database does not take the data, and never will.
    #[error("Django's database refuses it: {0}")]
    Rejected(String),
    /// Somebody else has moved the position meanwhile.
    #[error("another mirror is at work on the same tables")]
    Overtaken,
    /// The table has a column that Django's chat does not have, and that may not be left out.
    #[error("the table `{table}` has a column `{column}` that must not be empty, and that no mirror knows how to fill")]
    Column {
        /// Its name.
        table: String,
        /// Which.
        column: String,
    },
}

impl From<DjangoError> for MirrorError {
    fn from(error: DjangoError) -> Self {
        match error {
            DjangoError::Unavailable(why) => Self::Unavailable(why),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl From<sqlx::Error> for MirrorError {
    fn from(error: sqlx::Error) -> Self {
        let reason = error.to_string();
        let is_of_the_data = match &error {
            sqlx::Error::Encode(_) => true,
            // Bad data, broken constraint, too long for an index; SQLite only tells the kind.
            sqlx::Error::Database(error) => {
                let code = error.code().unwrap_or_default();
                let is_sqlstate = code.len() == 5 && ["22", "23", "54"].iter().any(|class| code.starts_with(class));
                is_sqlstate || !matches!(error.kind(), sqlx::error::ErrorKind::Other)
            }
            _ => false,
        };
        if is_of_the_data { Self::Rejected(reason) } else { Self::Unavailable(reason) }
    }
}
