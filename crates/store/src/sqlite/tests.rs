//! The contract on SQLite, and what only a file has.

use natter_model::event::Body;
use natter_model::id::Position;
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};
use tempfile::TempDir;

use super::{OpenError, SqliteStore};
use crate::accounts::{AccountStore, NewAccount};
use crate::contract::chatter::{account, conversation, message};
use crate::messages::MessageStore as _;

async fn fresh() -> (SqliteStore, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = SqliteStore::open(&folder.path().join("store.sqlite")).await.expect("a new file can be opened");
    (store, folder)
}

crate::message_store_contract!(super::fresh);
crate::account_store_contract!(super::fresh);

#[tokio::test]
async fn what_was_stored_is_there_when_the_file_is_opened_again() {
    let (store, folder) = fresh().await;
    let account = NewAccount {
        username: "ana".to_owned(),
        email: String::new(),
        password_hash: "!".to_owned(),
        profile_types: Vec::new(),
    };
    let id = store.create_account(&account).await.expect("the store answers").expect("the username is free");
    store.close().await;
    let files: Vec<_> =
        folder.path().read_dir().expect("the folder").map(|file| file.expect("a file").file_name()).collect();
    assert_eq!(files, ["store.sqlite"], "nothing is left beside the file");
    let store = SqliteStore::open(&folder.path().join("store.sqlite")).await.expect("the file can be opened again");
    assert!(store.account(id).await.expect("the store answers").is_some());
}

/// What the tables held before they knew of deletes' places, of resends, of readers' names and of imports.
const FILLED: &str = "
INSERT INTO messages (message_id, conversation_id, sender_id, sender_name, content, timestamp, is_read, read_at,
    is_deleted, event_id, client_id, edited_seq, read_seq, touched_seq) VALUES
    (1, 1, 2, 'ana', '', 5, FALSE, NULL, TRUE, NULL, NULL, 0, 0, 1),
    (2, 1, 2, 'ana', 'old', 6, TRUE, NULL, FALSE, NULL, NULL, 0, 0, 2),
    (10, 1, 2, 'ana', '', 10, TRUE, 12, TRUE, zeroblob(16), 'a', 11, 12, 13),
    (14, 1, 3, 'bob', 'once', 14, FALSE, NULL, FALSE, zeroblob(16), 'a', 0, 0, 14),
    (15, 1, 3, 'bob', 'once', 15, FALSE, NULL, FALSE, zeroblob(16), 'a', 0, 0, 15);
INSERT INTO read_marks VALUES (1, 3, 10, 12);
INSERT INTO erasures VALUES (2, 20);";

#[tokio::test]
async fn a_filled_file_of_an_earlier_version_is_brought_up_to_date() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("store.sqlite");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.expect("a new file can be opened");
    let first = super::MIGRATIONS.iter().take(2).cloned().collect();
    Migrator::with_migrations(first).run(&mut connection).await.expect("the first tables can be made");
    sqlx::raw_sql(FILLED).execute(&mut connection).await.expect("the tables take rows");
    connection.close().await.expect("the file can be closed");
    let store = SqliteStore::open(&path).await.expect("the file can be brought up to date");
    let told = async |id| {
        let told = store.changes(conversation(id), Position::START, Position::new(99), 99).await;
        told.expect("the store answers")
    };
    let here = told(1).await;
    assert_eq!(here.iter().map(|entry| entry.position.get()).collect::<Vec<_>>(), [2, 10, 12, 13, 14]);
    assert_eq!((here[2].event.actor.username.as_str(), here[2].event.at.as_micros()), ("bob", 12));
    assert_eq!(told(2).await[0].event.body, Body::ConversationDeleted);
    assert_eq!(store.message(message(15)).await.expect("the store answers"), None);
    let unread = store.summaries(account(4), &[conversation(1)], 0).await.expect("the store answers");
    assert_eq!(unread[0].unread_count, 1, "one was imported as read, one sent again");
    assert_eq!(store.highest_given().await.expect("the store answers"), Some(message(2)));
}

#[tokio::test]
async fn every_commit_waits_for_the_disk() {
    let (store, _folder) = fresh().await;
    let pragma = async |name: &'static str| {
        sqlx::query_scalar::<_, String>(name).fetch_one(&store.writer).await.expect("the pragma is known")
    };
    assert_eq!(pragma("SELECT journal_mode FROM pragma_journal_mode").await, "wal");
    assert_eq!(pragma("SELECT CAST(synchronous AS TEXT) FROM pragma_synchronous").await, "2");
    assert_eq!(pragma("SELECT CAST(foreign_keys AS TEXT) FROM pragma_foreign_keys").await, "1");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_told_as_such() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("a file");
    for path in [folder.path().join("missing/store.sqlite"), file.join("store.sqlite")] {
        let error = SqliteStore::open(&path).await.expect_err("there is no such folder");
        assert!(matches!(error, OpenError::Unwritable { .. }), "{error:?}");
        assert!(error.to_string().contains("store.sqlite"), "{error}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_told_as_such_and_left_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("store.sqlite");
    let text = "This is my shopping list, and by no means a database. ".repeat(40);
    std::fs::write(&path, &text).expect("a file");
    let error = SqliteStore::open(&path).await.expect_err("it is no database");
    assert!(matches!(error, OpenError::NotADatabase { .. }), "{error:?}");
    assert_eq!(std::fs::read_to_string(&path).expect("the file"), text);
}

#[tokio::test]
async fn a_file_of_a_later_version_is_told_as_such() {
    let (store, folder) = fresh().await;
    sqlx::query("INSERT INTO _sqlx_migrations VALUES (9999, 'later', 0, TRUE, x'00', 0)")
        .execute(&store.writer)
        .await
        .expect("a later migration");
    store.close().await;
    let error = SqliteStore::open(&folder.path().join("store.sqlite")).await.expect_err("it is of a later version");
    assert!(matches!(error, OpenError::OtherVersion { .. }), "{error:?}");
}
