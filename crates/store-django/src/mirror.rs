//! Writing what was said in Natter into Django's own tables, with the same ids.
//!
//! How far that has come stands in a table of its own in Django's database, and moves in the same transaction as the rows:
//! each record of the log is folded in exactly once, wherever the mirror is stopped. Folding it again changes nothing.

mod error;
mod finish;
mod fold;
mod line;
mod moments;
mod outcome;
mod rooms;
mod standing;
mod statements;

use std::time::Duration;

use tokio::time::timeout;

use crate::database::Database;
use crate::django::Django;
use line::Line;
use statements::Statements;

pub use error::MirrorError;
pub use fold::Step;
pub use moments::Moments;
pub use outcome::{Folded, LeftOut, Why};
pub use rooms::Room;
pub use standing::Standing;

/// Longest that a transaction may take before the line counts as lost: a server that hangs says nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// The one who writes into Django's tables, on a connection of its own: what that one holds, and no other mirror may
/// hold, ends with it.
pub struct Mirror {
    line: Line,
    statements: Statements,
}

impl Django {
    /// Rows that others add in the meantime get ids above all that are there, so that Django would take Natter's ids.
    pub fn counts_on_from_the_highest(&self) -> bool {
        matches!(self.database, Database::Sqlite(_))
    }
}

impl Mirror {
    /// Takes a connection, and makes the tables that a mirror has for itself if they are not there.
    pub async fn open(django: &Django) -> Result<Self, MirrorError> {
        let statements = Statements::new(django);
        statements::check(django).await?;
        let mut line = in_time(Line::take(&django.database)).await?;
        for table in standing::TABLES {
            // Making one needs rights that a mirror can do without afterwards.
            if django.database.columns(table.name).await?.is_empty() {
                in_time(line.run(table.sql)).await?;
            }
        }
        Ok(Self { line, statements })
    }
}

async fn in_time<T>(work: impl Future<Output = Result<T, MirrorError>>) -> Result<T, MirrorError> {
    let lost = |_| MirrorError::Unavailable(format!("no answer within {} s", PATIENCE.as_secs()));
    timeout(PATIENCE, work).await.map_err(lost)?
}
