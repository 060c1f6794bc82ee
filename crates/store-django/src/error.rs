//! Why Django's database did not answer, or cannot be understood.

use crate::tables::Part;

/// Why Django's database did not do it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DjangoError {
    /// The URL is none. Tells what is wrong without showing the URL, which may hold a password.
    #[error("neither a Postgres URL (postgres://user:password@host:port/database) nor a SQLite file: {0}")]
    BadUrl(String),
    /// The database cannot be reached, is busy, or refuses us.
    #[error("Django's database cannot be used: {0}")]
    Unavailable(String),
    /// The tables are not as a Django chat has them.
    #[error("Django's tables cannot be understood: {0}")]
    Layout(#[from] LayoutError),
}

/// What is strange about the tables.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// There is none of this name.
    #[error("there is no table `{name}`")]
    NoTable {
        /// What it would hold.
        part: Part,
        /// Its name.
        name: String,
    },
    /// It lacks something that Django's has.
    #[error("the table `{name}` has no column `{column}`")]
    NoColumn {
        /// What it holds.
        part: Part,
        /// Its name.
        name: String,
        /// What is missing.
        column: String,
    },
    /// Ids have to be numbers.
    #[error("the column `{column}` of the table `{name}` does not hold whole numbers")]
    NoNumber {
        /// What it holds.
        part: Part,
        /// Its name.
        name: String,
        /// Which column.
        column: String,
    },
    /// It is neither an account's nor a profile's.
    #[error("the column `{column}` of the table `{name}` points to `{target}`, neither to accounts nor to profiles")]
    Stranger {
        /// What it holds.
        part: Part,
        /// Its name.
        name: String,
        /// Which column.
        column: String,
        /// Where its foreign key leads to.
        target: String,
    },
}

impl LayoutError {
    /// Which table it is about.
    pub fn part(&self) -> Part {
        match self {
            Self::NoTable { part, .. }
            | Self::NoColumn { part, .. }
            | Self::NoNumber { part, .. }
            | Self::Stranger { part, .. } => *part,
        }
    }
}

impl From<sqlx::Error> for DjangoError {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}
