//! The embedded log against the contract, and what only a file can go through.

mod durability;
mod opening;

use tempfile::TempDir;

use super::*;
use crate::contract::Subject;

/// A log in a folder that goes away with it.
struct Fresh {
    log: Embedded,
    _folder: TempDir,
}

async fn fresh(first: Position) -> Fresh {
    let folder = folder();
    Fresh { log: open(&folder, first), _folder: folder }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn open(folder: &TempDir, first: Position) -> Embedded {
    Embedded::open(&folder.path().join("log.redb"), first).expect("it opens")
}

#[async_trait]
impl Subject for Fresh {
    fn log(&self) -> &dyn Log {
        &self.log
    }

    fn backlog(&self) -> &dyn Backlog {
        &self.log
    }

    fn mend(&self) -> &dyn Mend {
        &self.log
    }

    async fn append_raw(&self, conversation: ConversationId, bytes: &[u8]) -> Position {
        self.log.append_raw(conversation, bytes).await.expect("the log takes it").position
    }
}

crate::log_contract!(fresh);
