//! What the operating system lets one process have.

use tracing::{debug, warn};

/// Raises the soft limit of open files to the hard one: each connection takes one. Says so if that is refused.
pub fn raise_open_files() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => debug!(open_files = limit, "limit of open files"),
        Err(error) => warn!(%error, "the limit of open files stays as it is"),
    }
}
