//! Tables that are missing, made, or of another version.

mod cluster;

use natter_model::id::Position;
use natter_store::accounts::AccountStore as _;
use natter_store::contract::chatter::{account, ana, entry, message, posted};
use natter_store::error::StoreError;
use natter_store::messages::MessageStore as _;
use natter_store_pg::{MigrateError, PgAccounts, PgMessages};
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
