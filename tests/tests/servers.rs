//! The harness itself: servers that come back with what they had.

use std::fs;
use std::path::Path;

use natter_tests::process::Launch;
use natter_tests::servers::postgres::Postgres;
use natter_tests::wait::until;
use tokio::runtime::{Builder, Runtime};

#[tokio::test]
async fn postgres_recovers_what_was_committed() {
    let mut postgres = Postgres::started().await;
    postgres.query("CREATE TABLE kept (word text); INSERT INTO kept VALUES ('yes')");
    postgres.crash().await;
    postgres.start().await;
    assert_eq!(postgres.query("SELECT word FROM kept"), ["yes"]);
}

#[test]
fn a_process_ends_with_its_value() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let process = Launch::new("sleeper", Path::new("/bin/sleep")).argument("600").start(folder.path());
    let alive = Path::new("/proc").join(process.id().to_string());
    assert!(alive.exists());
    drop(process);
    assert!(!alive.exists());
}

/// A thread that ends stands for a test process that is killed: the kernel does the same in both cases.
#[test]
fn a_process_ends_with_the_thread_that_started_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().to_owned();
    let start = move || {
        let process = Launch::new("sleeper", Path::new("/bin/sleep")).argument("600").start(&path);
        // Not before it runs is the kernel told what to do.
        let name = Path::new("/proc").join(process.id().to_string()).join("comm");
        let is_asleep = async || (fs::read_to_string(&name).ok()?.trim() == "sleep").then_some(());
        runtime().block_on(until("it runs", is_asleep));
        process
    };
    let mut process = std::thread::spawn(start).join().expect("a process is started");
    assert!(!runtime().block_on(process.ends()).success());
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().expect("a runtime")
}
