//! A server that is away, hangs, or is held up: the store says so in time, and goes on when it is over.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use natter_store::accounts::AccountStore as _;
use natter_store::contract::chatter::{account, ana, entry, message, posted};
use natter_store::error::StoreError;
use natter_store::messages::MessageStore as _;
use natter_store_pg::{PgAccounts, PgMessages};
use natter_tests::proxy::{Cut, Proxy, Upstream};
use natter_tests::servers::postgres::Postgres;
use natter_tests::wait::until;
use sqlx::{Connection as _, PgConnection};
use tokio::task::JoinSet;

/// Longest time for a call whose failure would be to wait for ever.
const PATIENCE: Duration = Duration::from_secs(30);

async fn is_unavailable<T: std::fmt::Debug>(call: impl Future<Output = Result<T, StoreError>>) {
    let outcome = tokio::time::timeout(PATIENCE, call).await.expect("the store does not wait for ever");
    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
}

async fn migrated() -> (Postgres, PgAccounts, PgMessages) {
    let server = Postgres::started().await;
    PgAccounts::migrate(&server.url()).await.expect("the database can be migrated");
    PgMessages::migrate(&server.url()).await.expect("the database can be migrated");
    let accounts = PgAccounts::connect_lazy(&server.url()).expect("a good URL");
    let messages = PgMessages::connect_lazy(&server.url()).expect("a good URL");
    (server, accounts, messages)
}

/// A server that holds still: it takes connections, and answers nothing. Dropping this lets it run on.
struct Frozen(Vec<String>);

impl Frozen {
    fn new(server: &Postgres) -> Self {
        let url = server.url();
        let (_, folder) = url.split_once("host=").expect("the server is reached through a socket in its folder");
        let pid_file = Path::new(folder).join("data/postmaster.pid");
        let pid_file = std::fs::read_to_string(pid_file).expect("a running server");
        let postmaster = pid_file.lines().next().expect("its first line is the process id");
        // It first, so that it starts no more children.
        let mut frozen = Self(vec![postmaster.to_owned()]);
        frozen.signal("-STOP");
        let children = Path::new("/proc").join(postmaster).join("task").join(postmaster).join("children");
        let children = std::fs::read_to_string(children).expect("a Linux that lists children");
        frozen.0.extend(children.split_whitespace().map(str::to_owned));
        frozen.signal("-STOP");
        frozen
    }

    fn signal(&self, signal: &str) {
        // A child that has ended by itself makes it fail, which is just as well.
        Command::new("kill").arg(signal).args(&self.0).output().expect("kill can be run");
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        self.signal("-CONT");
    }
}

#[tokio::test]
async fn a_server_that_dies_is_told_and_found_again_when_it_is_back() {
    let (mut server, accounts, messages) = migrated().await;
    messages.apply(&[entry(10, ana(), posted("before"))]).await.expect("the store takes the entry");
    server.crash().await;
    let meanwhile = [entry(11, ana(), posted("meanwhile"))];
    tokio::join!(
        is_unavailable(messages.apply(&meanwhile)),
        is_unavailable(messages.message(message(10))),
        is_unavailable(messages.ready()),
        is_unavailable(accounts.account(account(1))),
        is_unavailable(accounts.start_conversation(account(1), account(2))),
    );
    server.start().await;
    messages.apply(&[entry(11, ana(), posted("after"))]).await.expect("the store takes the entry");
    assert!(messages.message(message(10)).await.expect("the store answers").is_some());
    accounts.ready().await.expect("the store is ready");
}

#[tokio::test]
async fn a_server_that_hangs_is_told_and_used_again_when_it_runs_on() {
    let (server, accounts, messages) = migrated().await;
    messages.ready().await.expect("the store is ready");
    let frozen = Frozen::new(&server);
    // More than there are connections, so that none is left to those who ask later.
    let mut many = JoinSet::new();
    for _ in 0..15 {
        let messages = messages.clone();
        many.spawn(async move { is_unavailable(messages.message(message(10))).await });
    }
    many.join_all().await;
    is_unavailable(messages.apply(&[entry(10, ana(), posted("hello"))])).await;
    is_unavailable(accounts.ready()).await;
    drop(frozen);
    until("the store takes entries again", async || messages.apply(&[entry(10, ana(), posted("hi"))]).await.ok()).await;
    accounts.ready().await.expect("the store is ready");
}

#[tokio::test]
async fn tables_that_somebody_else_locks_are_told() {
    let (server, _, messages) = migrated().await;
    let mut admin = PgConnection::connect(&server.url()).await.expect("the server answers");
    let mut transaction = admin.begin().await.expect("a transaction");
    sqlx::query("LOCK TABLE persistence.messages").execute(&mut *transaction).await.expect("the lock");
    is_unavailable(messages.apply(&[entry(10, ana(), posted("hello"))])).await;
    is_unavailable(messages.message(message(10))).await;
    transaction.rollback().await.expect("the lock is let go");
    messages.apply(&[entry(10, ana(), posted("hello"))]).await.expect("the store takes the entry");
}

#[tokio::test]
async fn lines_that_are_cut_without_a_word_do_not_stay() {
    let (server, _, _) = migrated().await;
    let proxy = Proxy::open(vec![Upstream::Socket(server.socket())]).await;
    let url = format!("postgres://natter@127.0.0.1:{}/postgres?sslmode=disable", proxy.port());
    let messages = PgMessages::connect_lazy(&url).expect("a good URL");
    let mut many = JoinSet::new();
    for _ in 0..15 {
        let messages = messages.clone();
        many.spawn(async move { messages.message(message(10)).await });
    }
    for outcome in many.join_all().await {
        outcome.expect("the store answers");
    }
    proxy.cut(Cut::Swallow);
    until("the store answers again", async || messages.message(message(10)).await.ok()).await;
    messages.apply(&[entry(10, ana(), posted("hello"))]).await.expect("the store takes the entry");
}
