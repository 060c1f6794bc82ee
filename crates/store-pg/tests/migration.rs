//! Tables that are missing, made, or of another version.

mod cluster;

use std::str::FromStr as _;

use natter_model::event::Body;
use natter_model::id::Position;
use natter_store::accounts::AccountStore as _;
use natter_store::contract::chatter::{account, ana, bob, conversation, deleted, entry, message, posted, posted_as};
use natter_store::error::StoreError;
use natter_store::messages::MessageStore as _;
use natter_store_pg::{MigrateError, PgAccounts, PgMessages};
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};

use crate::cluster::Cluster;

fn is_not_migrated<T: std::fmt::Debug>(outcome: &Result<T, StoreError>) {
    assert!(matches!(outcome, Err(StoreError::NotMigrated(_))), "{outcome:?}");
}

#[tokio::test]
async fn stores_without_tables_say_so() {
    let cluster = Cluster::shared();
    let url = cluster.database().await;
    let accounts = PgAccounts::connect_lazy(&url).expect("a good URL");
    let messages = PgMessages::connect_lazy(&url).expect("a good URL");
    is_not_migrated(&accounts.ready().await);
    is_not_migrated(&accounts.account(account(1)).await);
    is_not_migrated(&messages.ready().await);
    is_not_migrated(&messages.apply(&[entry(10, ana(), posted("hello"))]).await);
    PgAccounts::migrate(&url).await.expect("the database can be migrated");
    accounts.ready().await.expect("its tables are there");
    is_not_migrated(&messages.message(message(1)).await);
    PgMessages::migrate(&url).await.expect("the database can be migrated");
    messages.ready().await.expect("its tables are there");
}

#[tokio::test]
async fn migrating_again_or_at_the_same_time_changes_nothing() {
    let cluster = Cluster::shared();
    let url = cluster.database().await;
    let (one, two, three) =
        tokio::join!(PgMessages::migrate(&url), PgMessages::migrate(&url), PgAccounts::migrate(&url));
    one.and(two).and(three).expect("all may migrate at once");
    let messages = PgMessages::connect_lazy(&url).expect("a good URL");
    messages.apply(&[entry(10, ana(), posted("hello"))]).await.expect("the store takes the entry");
    PgMessages::migrate(&url).await.expect("the database can be migrated again");
    assert_eq!(messages.highest().await.expect("the store answers"), Position::new(10));
}

/// The first version of the tables, with a message that was edited, read and deleted, one that was sent again, two that
/// were imported, as deleted and as read, and a conversation that was ended.
const FILLED: &str = "
INSERT INTO persistence.messages (message_id, conversation_id, sender_id, sender_name, content, timestamp, is_read, read_at,
    is_deleted, event_id, client_id, edited_seq, read_seq, touched_seq) VALUES
    (1, 1, 2, 'ana', '', '2025-01-01 00:00Z', FALSE, NULL, TRUE, NULL, NULL, 0, 0, 1),
    (2, 1, 2, 'ana', 'old', '2025-01-01 00:00Z', TRUE, NULL, FALSE, NULL, NULL, 0, 0, 2),
    (10, 1, 2, 'ana', '', '2025-01-02 00:00Z', TRUE, '2025-01-03 00:00Z', TRUE, gen_random_uuid(), 'a', 11, 12, 13),
    (14, 1, 3, 'bob', 'once', '2025-01-04 00:00Z', FALSE, NULL, FALSE, gen_random_uuid(), 'a', 0, 0, 14),
    (15, 1, 3, 'bob', 'once', '2025-01-05 00:00Z', FALSE, NULL, FALSE, gen_random_uuid(), 'a', 0, 0, 15);
INSERT INTO persistence.read_marks VALUES (1, 3, 10, 12);
INSERT INTO persistence.erasures VALUES (2, 20);";

#[tokio::test]
async fn filled_tables_of_the_first_version_are_brought_up_to_date() {
    let cluster = Cluster::shared();
    let url = cluster.database().await;
    let options = PgConnectOptions::from_str(&url).expect("a good URL").options([("search_path", "persistence")]);
    let mut connection = PgConnection::connect_with(&options).await.expect("the server answers");
    let first = sqlx::migrate!("migrations/persistence").iter().take(1).cloned().collect();
    let mut migrator = Migrator::with_migrations(first);
    migrator.create_schema("persistence").run(&mut connection).await.expect("the first version can be made");
    sqlx::raw_sql(FILLED).execute(&mut connection).await.expect("its tables take rows");
    PgMessages::migrate(&url).await.expect("filled tables can be migrated");
    let messages = PgMessages::connect_lazy(&url).expect("a good URL");
    let told = async |id| {
        let told = messages.changes(conversation(id), Position::START, Position::new(99), 99).await;
        told.expect("the store answers")
    };
    let here = told(1).await;
    assert_eq!(here.iter().map(|entry| entry.position.get()).collect::<Vec<_>>(), [2, 10, 12, 13, 14]);
    let read = &here[2].event;
    assert_eq!((read.actor.username.as_str(), read.at.to_frame().as_str()), ("bob", "2025-01-03 00:00:00+00:00"));
    assert_eq!(told(2).await[0].event.body, Body::ConversationDeleted);
    assert_eq!(messages.message(message(15)).await.expect("the store answers"), None);
    let again = [entry(16, bob(), posted_as("a", "once")), entry(17, ana(), deleted(10))];
    assert_eq!(messages.apply(&again).await.expect("the store takes the entries"), []);
    let positions: Vec<_> = told(1).await.iter().map(|entry| entry.position.get()).collect();
    assert_eq!(positions, [2, 10, 12, 14, 17]);
    let unread = messages.summaries(account(4), &[conversation(1)], 0).await.expect("the store answers");
    assert_eq!(unread[0].unread_count, 1, "one was imported as read, one sent again");
    assert_eq!(messages.highest_given().await.expect("the store answers"), Some(message(2)));
}

#[tokio::test]
async fn tables_of_an_earlier_version_are_not_ready_and_those_of_a_later_one_are() {
    let cluster = Cluster::shared();
    let url = cluster.database().await;
    PgMessages::migrate(&url).await.expect("the database can be migrated");
    let messages = PgMessages::connect_lazy(&url).expect("a good URL");
    let mut connection = PgConnection::connect(&url).await.expect("the server answers");
    let mut versions = async |change: &'static str| {
        sqlx::query(change).execute(&mut connection).await.expect("the list of migrations can be changed");
    };
    versions("UPDATE persistence._sqlx_migrations SET version = version + 1000").await;
    messages.ready().await.expect("a later version has only added to the tables");
    versions("DELETE FROM persistence._sqlx_migrations").await;
    is_not_migrated(&messages.ready().await);
}

#[tokio::test]
async fn migrating_tells_a_bad_url_from_a_server_that_is_away() {
    let bad = PgMessages::migrate("nats://localhost").await;
    assert!(matches!(bad, Err(MigrateError::Url(_))), "{bad:?}");
    let folder = std::env::temp_dir().join("natter-no-such-socket");
    let away = PgMessages::migrate(&format!("postgres://natter@localhost/db?host={}", folder.display())).await;
    assert!(matches!(away, Err(MigrateError::Unreachable(_))), "{away:?}");
}
