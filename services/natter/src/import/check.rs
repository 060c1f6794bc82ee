//! `natter import-django --check`: both sides, row by row.

mod accounts;
mod conversations;
mod messages;
mod tokens;

use super::Run;
use crate::cli::import::ImportConfig;

/// Ids of Natter's rows that lie behind one page of Django's and up to the end of the next.
type Ids = std::ops::RangeInclusive<u64>;

pub(super) async fn compare(run: &mut Run, config: &ImportConfig) -> anyhow::Result<()> {
    accounts::compare(run).await?;
    conversations::compare(run).await?;
    tokens::compare(run).await?;
    if !config.without_messages {
        messages::compare(run, config.since_id).await?;
    }
    Ok(())
}

/// Up to where a page of Django's speaks for all there is: to its last row, or to where Natter's own ids begin.
fn range(run: &Run, from: u64, next: Option<i64>) -> Ids {
    let last = next.map_or(run.limits.first.unsigned_abs() - 1, super::number);
    from..=last
}
