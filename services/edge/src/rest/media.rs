//! The attachments of messages, as files in a folder.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempPath;
use tokio::fs::File;

use super::file_name::FileName;

/// The folder below the media root; part of each attachment's path.
pub(crate) const FOLDER: &str = "chat_attachments";

/// Where files lie while they come in; below the media root too, so that they need not be copied.
const INCOMING: &str = ".incoming";

/// How many names are tried for a file before giving up.
const MAX_ATTEMPTS: usize = 20;

/// The files below the media root. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Media {
    root: Arc<Path>,
    max_bytes: u64,
}

/// A file on its way in. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct Incoming {
    /// Open for writing.
    pub file: File,
    path: TempPath,
}

impl Media {
    /// The files below `root`, each of at most `max_bytes`. Makes the folders; fails if it cannot write there.
    pub(crate) fn open(root: &Path, max_bytes: u64) -> io::Result<Self> {
        std::fs::create_dir_all(root.join(FOLDER))?;
        std::fs::create_dir_all(root.join(INCOMING))?;
        tempfile::tempfile_in(root.join(INCOMING))?;
        Ok(Self { root: Arc::from(root), max_bytes })
    }

    /// The largest file taken, in bytes.
    pub(crate) fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// The folder that is served under `/media/chat_attachments/`.
    pub(crate) fn folder(&self) -> PathBuf {
        self.root.join(FOLDER)
    }

    /// An empty file to write to.
    pub(crate) async fn begin(&self) -> io::Result<Incoming> {
        let folder = self.root.join(INCOMING);
        let (file, path) = blocking(move || tempfile::NamedTempFile::new_in(folder)).await?.into_parts();
        Ok(Incoming { file: File::from_std(file), path })
    }

    /// Makes the file last, under a name that no other file has. Answers with its path below the media root.
    pub(crate) async fn keep(&self, incoming: Incoming, name: FileName) -> io::Result<String> {
        let Incoming { file, mut path } = incoming;
        file.sync_all().await?;
        let folder = self.folder();
        let kept = blocking(move || {
            let mut candidate = name.first(FOLDER);
            for _ in 0..MAX_ATTEMPTS {
                match path.persist_noclobber(folder.join(&candidate)) {
                    Ok(()) => {
                        // The name is durable only with its folder.
                        std::fs::File::open(&folder)?.sync_all()?;
                        return Ok(candidate);
                    }
                    Err(taken) if taken.error.kind() == io::ErrorKind::AlreadyExists => path = taken.path,
                    Err(failed) => return Err(failed.error),
                }
                candidate = name.next(FOLDER);
            }
            Err(io::Error::new(io::ErrorKind::AlreadyExists, "no free name was found"))
        });
        Ok(format!("{FOLDER}/{}", kept.await?))
    }

    /// Removes a file that was kept for a message which then did not come about.
    pub(crate) async fn remove(&self, path: &str) -> io::Result<()> {
        tokio::fs::remove_file(self.root.join(path)).await
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    async fn store(media: &Media, name: &str, content: &str) -> String {
        let mut incoming = media.begin().await.expect("a temporary file");
        incoming.file.write_all(content.as_bytes()).await.expect("written");
        media.keep(incoming, FileName::clean(name).expect("a name")).await.expect("kept")
    }

    fn files_below(folder: PathBuf) -> usize {
        std::fs::read_dir(folder).expect("a folder").count()
    }

    #[tokio::test]
    async fn a_name_that_is_taken_is_never_overwritten() {
        let root = tempfile::tempdir().expect("a folder");
        let media = Media::open(root.path(), 10).expect("writable");
        let first = store(&media, "a.txt", "one").await;
        let second = store(&media, "a.txt", "two").await;
        assert_eq!(first, "chat_attachments/a.txt");
        assert_ne!(second, first);
        let read = |path: &str| std::fs::read_to_string(root.path().join(path)).expect("readable");
        assert_eq!((read(&first).as_str(), read(&second).as_str()), ("one", "two"));
        assert_eq!(files_below(root.path().join(INCOMING)), 0);
    }

    #[tokio::test]
    async fn what_is_not_kept_leaves_nothing_behind() {
        let root = tempfile::tempdir().expect("a folder");
        let media = Media::open(root.path(), 10).expect("writable");
        drop(media.begin().await.expect("a temporary file"));
        let path = store(&media, "a.txt", "one").await;
        media.remove(&path).await.expect("removed");
        assert_eq!(files_below(root.path().join(INCOMING)) + files_below(media.folder()), 0);
    }
}
