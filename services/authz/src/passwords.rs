//! Checking passwords, which is slow on purpose, without holding up anything else.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use natter_identity::password::{self, Verdict};
use tokio::sync::Semaphore;
use tokio::task;
use tokio::time::{self, Instant};
use tonic::Status;

/// Checks that may wait for each core that checks: at 0.2 s each, the last one waits 6 s.
const QUEUE_PER_CORE: usize = 32;

/// A check that took longer than this was held up, and says nothing about its kind.
const LONGEST_REFUSAL: Duration = Duration::from_secs(1);

/// Checks passwords on all cores but one, and refuses when too many wait. Cheap to clone; all clones are one.
#[derive(Clone)]
pub(crate) struct Passwords {
    cores: Arc<Semaphore>,
    places: Arc<Semaphore>,
    refusals: Arc<Refusals>,
}

impl Passwords {
    pub(crate) fn on_this_machine() -> Self {
        // One core stays free for everybody who is logged in already.
        let cores = thread::available_parallelism().map_or(1, NonZero::get).saturating_sub(1).max(1);
        Self::new(cores, cores * QUEUE_PER_CORE)
    }

    fn new(cores: usize, queue: usize) -> Self {
        let [cores, places] = [cores, cores + queue].map(|permits| Arc::new(Semaphore::new(permits)));
        Self { cores, places, refusals: Arc::default() }
    }

    /// Whether `password` is the one that was hashed. Takes the same work without a hash, and is wrong then; and where
    /// the hash is of a kind that takes other work, all that are wrong take as long as the slowest of them.
    pub(crate) async fn check(&self, password: String, encoded: Option<String>) -> Result<Verdict, Status> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| Status::unavailable("too many logins at the same moment"))?;
        let core = Arc::clone(&self.cores).acquire_owned().await.expect("nobody closes the semaphore");
        let begun = Instant::now();
        let checking = task::spawn_blocking(move || {
            // Held until the work is done, also when nobody waits for it any more.
            let _held = (place, core);
            password::check(&password, encoded.as_deref())
        });
        let verdict = checking.await.map_err(|_| Status::internal("the password check failed"))?;
        if verdict == Verdict::Wrong {
            time::sleep(self.refusals.rest(begun.elapsed())).await;
        }
        Ok(verdict)
    }
}

/// How long the slowest check took that ended with a no, in microseconds.
#[derive(Default)]
struct Refusals(AtomicU64);

impl Refusals {
    /// How long a no is to be held back that took so long to find.
    fn rest(&self, took: Duration) -> Duration {
        let micros = u64::try_from(took.min(LONGEST_REFUSAL).as_micros()).expect("a second or less");
        let slowest = self.0.fetch_max(micros, Ordering::Relaxed);
        Duration::from_micros(slowest).saturating_sub(took)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_gets_in_without_a_usable_hash() {
        let passwords = Passwords::new(1, 1);
        for encoded in [None, Some(""), Some("!"), Some("!pbkdf2_sha256$1$salt$x")] {
            let verdict = passwords.check(String::new(), encoded.map(str::to_owned)).await.unwrap();
            assert_eq!(verdict, Verdict::Wrong, "{encoded:?}");
        }
    }

    #[tokio::test]
    async fn others_go_on_while_a_password_is_checked() {
        let passwords = Passwords::new(1, 1);
        tokio::select! {
            biased;
            // Asked first, it would be done first if it were done on this thread.
            _ = passwords.check("secret".to_owned(), None) => panic!("it held up everybody on this thread"),
            () = task::yield_now() => {}
        }
    }

    #[test]
    fn a_quick_refusal_is_as_slow_as_the_slowest() {
        let refusals = Refusals::default();
        let rest = |took| refusals.rest(Duration::from_millis(took)).as_millis();
        assert_eq!([rest(200), rest(50), rest(300), rest(200)], [0, 150, 0, 100]);
        assert_eq!([rest(60_000), rest(300)], [0, 700], "one that hung does not count as such");
    }

    #[tokio::test]
    async fn a_full_queue_refuses() {
        let passwords = Passwords::new(1, 0);
        let _only_place = passwords.places.try_acquire().unwrap();
        let refused = passwords.check("secret".to_owned(), None).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::Unavailable);
    }
}
