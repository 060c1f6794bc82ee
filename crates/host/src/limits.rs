//! What the operating system lets one process have.

use rlimit::Resource;
use tracing::{info, warn};

/// Files that are open besides connections: the program itself, its servers, attachments on their way.
const OTHER_FILES: u64 = 256;

/// How many files this process may have open: each connection takes one.
#[derive(Debug, Clone, Copy)]
pub struct OpenFiles {
    before: u64,
    limit: u64,
}

impl OpenFiles {
    /// Raises the soft limit to the hard one, as far as the system lets it.
    pub fn raise() -> Self {
        let before = Resource::NOFILE.get_soft().unwrap_or_default();
        let limit = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(before);
        Self { before, limit }
    }

    /// So many connections as are wanted, or as fit.
    pub fn connections(self, wanted: usize) -> usize {
        let fit = usize::try_from(self.limit.saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX);
        wanted.min(fit.max(1))
    }

    /// Logs the limit, and so what may be raised further from outside. Called once the start has succeeded: one that
    /// fails says nothing but why.
    pub fn tell(self) {
        info!(open_files = self.limit, before = self.before, "the limit of open files is as high as it may be");
    }

    /// Also warns if `setting` wants more connections than fit.
    pub fn tell_of(self, wanted: usize, setting: &str) {
        self.tell();
        let connections = self.connections(wanted);
        if connections < wanted {
            let open_files = self.limit;
            warn!(setting, wanted, connections, open_files, "the limit of open files allows fewer connections");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_the_rest() {
        let of = |limit| OpenFiles { before: 0, limit };
        assert_eq!(of(1024).connections(50_000), 768);
        assert_eq!(of(1 << 20).connections(50_000), 50_000);
        assert_eq!(of(10).connections(50_000), 1);
    }
}
