//! The harness itself: servers that come back with what they had.

use std::path::Path;

use natter_tests::process::Launch;
use natter_tests::servers::postgres::Postgres;

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
    let start = move || Launch::new("sleeper", Path::new("/bin/sleep")).argument("600").start(&path);
    let mut process = std::thread::spawn(start).join().expect("a process is started");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    assert!(!runtime.block_on(process.ends()).success());
}
