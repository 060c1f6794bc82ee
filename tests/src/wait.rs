//! Waiting for something that another process does: asking again, for a bounded time.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long anything may take before the test fails. Generous, since a busy machine is no bug.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How long to wait between two questions to another process.
const PAUSE: Duration = Duration::from_millis(20);

/// Asks until there is an answer.
///
/// # Panics
/// After [`PATIENCE`], with `what` it was waiting for.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain until {what}");
        sleep(PAUSE).await;
    }
}

/// The outcome of something that comes by itself.
///
/// # Panics
/// After [`PATIENCE`], with `what` it was waiting for.
pub async fn within_patience<T>(what: &str, outcome: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, outcome).await {
        Ok(outcome) => outcome,
        Err(_) => panic!("waited {PATIENCE:?} in vain for {what}"),
    }
}
