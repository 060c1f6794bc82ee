//! The data folder of a Natter in one process.

use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use natter_host::exit::Misconfigured;
use tracing::warn;

const SETTING: &str = "NATTER_DATA";
const LOCK: &str = "natter.lock";
const STORE: &str = "store.sqlite";
const LOG: &str = "log.redb";
/// There from the moment the folder is made until its first start has done all that only a first start does.
const FIRST_START: &str = "first-start";

/// A folder that is there, and Natter's.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    is_first_start: bool,
}

/// Held by the one process that serves the folder. Ends with it, however it ends.
#[derive(Debug)]
pub(crate) struct FolderLock {
    _file: File,
}

impl DataFolder {
    /// Makes the folder if it is not there. Refuses one that holds somebody else's files.
    pub(crate) fn open(path: &Path) -> Result<Self, Misconfigured> {
        let unusable = |error: io::Error| unusable(path, &error);
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable)?;
        let path = path.canonicalize().map_err(unusable)?;
        let names = names(&path).map_err(unusable)?;
        if names.is_empty() {
            // A mounted volume may belong to somebody else, and is no less usable.
            if let Err(error) = fs::set_permissions(&path, Permissions::from_mode(0o700)) {
                warn!(path = %path.display(), %error, "other users may be able to read the data folder");
            }
            File::create_new(path.join(FIRST_START)).map_err(unusable)?;
        } else if ![FIRST_START, LOCK, STORE, LOG].iter().any(|known| names.iter().any(|name| name == known)) {
            let trouble =
                format!("{} holds files that are not Natter's; name an empty or a new folder", path.display());
            return Err(Misconfigured::new(SETTING, trouble));
        }
        let is_first_start = path.join(FIRST_START).exists();
        Ok(Self { path, is_first_start })
    }

    /// For the process that serves it; there can be only one.
    pub(crate) fn lock(&self) -> Result<FolderLock, Misconfigured> {
        let file = File::options().create(true).append(true).open(self.path.join(LOCK));
        let file = file.map_err(|error| unusable(&self.path, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(FolderLock { _file: file }),
            Err(TryLockError::WouldBlock) => {
                let path = self.path.display();
                let trouble = format!("another natter is running on {path}; end it, or name another folder");
                Err(Misconfigured::new(SETTING, trouble))
            }
            Err(TryLockError::Error(error)) => Err(unusable(&self.path, &error)),
        }
    }

    /// Nobody has finished a first start in this folder yet.
    pub(crate) fn is_first_start(&self) -> bool {
        self.is_first_start
    }

    /// From now on it is no first start any more.
    pub(crate) fn finish_first_start(&self) -> io::Result<()> {
        match fs::remove_file(self.path.join(FIRST_START)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.path.join(STORE)
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.path.join(LOG)
    }

    /// Where attachments lie. Made if it is not there.
    pub(crate) fn media(&self) -> Result<PathBuf, Misconfigured> {
        let media = self.path.join("media");
        DirBuilder::new().recursive(true).mode(0o700).create(&media).map_err(|error| unusable(&media, &error))?;
        Ok(media)
    }

    pub(crate) fn signing_key(&self) -> PathBuf {
        self.path.join("signing.key")
    }

    /// The folder cannot be used, because something in it cannot.
    pub(crate) fn damaged(&self, error: impl std::fmt::Display) -> Misconfigured {
        Misconfigured::new(
            SETTING,
            format!("cannot open {}: {error}; mend it, or name another folder", self.path.display()),
        )
    }
}

fn names(path: &Path) -> io::Result<Vec<std::ffi::OsString>> {
    let names: io::Result<Vec<_>> = path.read_dir()?.map(|entry| Ok(entry?.file_name())).collect();
    // What a fresh file system begins with.
    names.map(|names| names.into_iter().filter(|name| name != "lost+found").collect())
}

fn unusable(path: &Path, error: &io::Error) -> Misconfigured {
    Misconfigured::new(SETTING, format!("cannot use {}: {error}; name a folder that can be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_start_lasts_until_it_is_finished() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("new");
        let folder = DataFolder::open(&path).unwrap();
        assert!(folder.is_first_start());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        drop(folder.lock().unwrap());
        assert!(DataFolder::open(&path).unwrap().is_first_start(), "a start that was cut short does not count");
        folder.finish_first_start().unwrap();
        assert!(!DataFolder::open(&path).unwrap().is_first_start());
    }

    #[test]
    fn an_empty_folder_is_taken_and_closed_to_others() {
        let path = tempfile::tempdir().unwrap();
        fs::set_permissions(path.path(), Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(path.path().join("lost+found")).unwrap();
        assert!(DataFolder::open(path.path()).unwrap().is_first_start());
        assert_eq!(fs::metadata(path.path()).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_folder_with_other_files_is_left_alone() {
        let path = tempfile::tempdir().unwrap();
        fs::write(path.path().join("diary.txt"), "dear diary").unwrap();
        let refusal = DataFolder::open(path.path()).unwrap_err().to_string();
        assert!(refusal.starts_with(SETTING) && refusal.contains("not Natter's"), "{refusal}");
        assert_eq!(names(path.path()).unwrap(), ["diary.txt"]);
    }

    #[test]
    fn only_one_can_lock_it() {
        let path = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(path.path()).unwrap();
        let held = folder.lock().unwrap();
        let refusal = DataFolder::open(path.path()).unwrap().lock().unwrap_err().to_string();
        assert!(refusal.contains("another natter"), "{refusal}");
        drop(held);
        folder.lock().unwrap();
    }
}
