//! When a program ends: on SIGTERM or SIGINT it drains, and it does not drain for ever.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tracing::{info, warn};

/// The program's end, from the first signal on.
#[derive(Debug)]
pub struct Lifecycle {
    drain: CancellationToken,
    abandon: CancellationToken,
    tasks: TaskTracker,
    grace: Duration,
    _signals: AbortOnDropHandle<()>,
}

/// The program ended before all work in hand was finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndedEarly {
    /// It took longer than it may.
    #[error("ended by the deadline with work unfinished; DRAIN_SECONDS sets it")]
    Deadline,
    /// A second signal came.
    #[error("ended by a second signal with work unfinished")]
    Signal,
}

impl Lifecycle {
    /// The first SIGTERM or SIGINT begins to drain, for at most `grace`; a second one ends the program at once.
    /// Needs a Tokio runtime.
    pub fn from_signals(grace: Duration) -> io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        let drain = CancellationToken::new();
        let abandon = CancellationToken::new();
        let listening = tokio::spawn(listen(terminate, interrupt, drain.clone(), abandon.clone()));
        Ok(Self { drain, abandon, tasks: TaskTracker::new(), grace, _signals: AbortOnDropHandle::new(listening) })
    }

    /// Cancelled when the program shall finish what it has in hand and take no more.
    pub fn drain(&self) -> CancellationToken {
        self.drain.clone()
    }

    /// Whoever runs in here is waited for.
    pub fn tasks(&self) -> TaskTracker {
        self.tasks.clone()
    }

    /// Runs the service, then waits for its tasks. When the service ends by itself, with or without an error, all
    /// its tasks are drained too.
    pub async fn run<F, S, E>(self, service: F) -> anyhow::Result<()>
    where
        F: FnOnce(CancellationToken, TaskTracker) -> S,
        S: Future<Output = Result<(), E>>,
        E: Into<anyhow::Error>,
    {
        let served = service(self.drain(), self.tasks());
        let all = async {
            let outcome = served.await;
            self.drain.cancel();
            self.tasks.close();
            self.tasks.wait().await;
            info!("all work in hand is finished");
            outcome.map_err(Into::into)
        };
        let deadline = async {
            self.drain.cancelled().await;
            tokio::time::sleep(self.grace).await;
        };
        tokio::select! {
            outcome = all => outcome,
            () = deadline => Err(EndedEarly::Deadline.into()),
            () = self.abandon.cancelled() => Err(EndedEarly::Signal.into()),
        }
    }
}

async fn listen(mut terminate: Signal, mut interrupt: Signal, drain: CancellationToken, abandon: CancellationToken) {
    let mut next = async || {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    };
    let signal = next().await;
    info!(signal, "draining");
    drain.cancel();
    let signal = next().await;
    warn!(signal, "ending at once");
    abandon.cancel();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    #[tokio::test]
    async fn a_service_that_ends_drains_its_tasks() {
        let lifecycle = Lifecycle::from_signals(Duration::from_secs(60)).unwrap();
        let outcome = lifecycle.run(|drain, tasks| async move {
            tasks.spawn(drain.cancelled_owned());
            Ok::<_, Infallible>(())
        });
        assert!(outcome.await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_does_not_end_is_ended_by_the_deadline() {
        let lifecycle = Lifecycle::from_signals(Duration::from_secs(60)).unwrap();
        let outcome = lifecycle.run(|_, tasks| async move {
            tasks.spawn(std::future::pending::<()>());
            Err::<(), _>(anyhow::anyhow!("the service failed"))
        });
        assert_eq!(outcome.await.unwrap_err().downcast_ref(), Some(&EndedEarly::Deadline));
    }

    #[tokio::test]
    async fn the_error_of_the_service_is_the_error_of_the_run() {
        let lifecycle = Lifecycle::from_signals(Duration::from_secs(60)).unwrap();
        let outcome = lifecycle.run(|_, _| async { Err::<(), _>(anyhow::anyhow!("the service failed")) });
        assert_eq!(outcome.await.unwrap_err().to_string(), "the service failed");
    }
}
