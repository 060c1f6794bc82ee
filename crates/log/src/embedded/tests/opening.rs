//! Files that cannot be opened, and what is said about them.

use std::fs;
use std::io::{Seek, SeekFrom, Write};

use redb::Database;

use super::*;
use crate::embedded::file::STATE;

fn refused(path: &Path) -> OpenError {
    match Embedded::open(path, Position::START) {
        Ok(_) => panic!("{} must not open", path.display()),
        Err(error) => error,
    }
}

#[tokio::test]
async fn an_open_log_is_in_use() {
    let folder = folder();
    let log = open(&folder, Position::START);
    let path = folder.path().join("log.redb");
    let error = refused(&path);
    assert!(matches!(&error, OpenError::InUse { .. }), "{error}");
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    drop(log);
    open(&folder, Position::START);
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_named() {
    let path = folder().path().join("nowhere/log.redb");
    let error = refused(&path);
    assert!(matches!(&error, OpenError::Io { .. }), "{error}");
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
}

#[tokio::test]
async fn a_file_of_something_else_is_no_log_and_stays_as_it_is() {
    let folder = folder();
    let path = folder.path().join("log.redb");
    let content = "not a log\n".repeat(1000);
    fs::write(&path, &content).expect("it is written");
    let error = refused(&path);
    assert!(matches!(&error, OpenError::Damaged { .. }), "{error}");
    assert_eq!(fs::read_to_string(&path).expect("it is read"), content);
}

#[tokio::test]
async fn a_file_that_was_cut_short_is_damaged() {
    let folder = folder();
    let path = folder.path().join("log.redb");
    drop(open(&folder, Position::START));
    let file = fs::File::options().write(true).open(&path).expect("it is there");
    file.set_len(5000).expect("it is cut");
    let error = refused(&path);
    assert!(matches!(&error, OpenError::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn a_file_that_was_written_over_is_damaged() {
    let folder = folder();
    let path = folder.path().join("log.redb");
    drop(open(&folder, Position::START));
    let mut file = fs::File::options().write(true).open(&path).expect("it is there");
    let length = file.metadata().expect("it is there").len();
    // Behind the header, so that the file still says what it was.
    file.seek(SeekFrom::Start(4096)).expect("it is longer");
    file.write_all(&vec![0xa5; (length - 4096) as usize]).expect("it is written");
    let error = refused(&path);
    assert!(matches!(&error, OpenError::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn a_format_of_another_version_is_left_alone() {
    let folder = folder();
    let path = folder.path().join("log.redb");
    drop(open(&folder, Position::START));
    let database = Database::open(&path).expect("it opens");
    let transaction = database.begin_write().expect("it can be written");
    transaction.open_table(STATE).expect("it is there").insert("format", 2).expect("it is written");
    transaction.commit().expect("it is written");
    drop(database);
    let error = refused(&path);
    assert!(matches!(&error, OpenError::UnknownFormat { found: 2, .. }), "{error}");
}
