//! Checking passwords, which is slow on purpose, without holding up anything else.

use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use natter_identity::password;
use tokio::sync::Semaphore;
use tokio::task;
use tonic::Status;

/// Checks that may wait for each core that checks: at 0.2 s each, the last one waits 6 s.
const QUEUE_PER_CORE: usize = 32;

/// Checks passwords on all cores but one, and refuses when too many wait. Cheap to clone; all clones are one.
#[derive(Clone)]
pub(crate) struct Passwords {
    cores: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

/// What came out of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the password, and its hash is as good as a new one.
    Right,
    /// It is the password; this hash is better than the stored one.
    Outdated(String),
    /// It is not the password.
    Wrong,
}

impl Passwords {
    pub(crate) fn on_this_machine() -> Self {
        // One core stays free for everybody who is logged in already.
        let cores = thread::available_parallelism().map_or(1, NonZero::get).saturating_sub(1).max(1);
        Self::new(cores, cores * QUEUE_PER_CORE)
    }

    fn new(cores: usize, queue: usize) -> Self {
        Self { cores: Arc::new(Semaphore::new(cores)), places: Arc::new(Semaphore::new(cores + queue)) }
    }

    /// Whether `password` is the one that was hashed. Takes the same time without a hash, and is wrong then.
    pub(crate) async fn check(&self, password: String, encoded: Option<String>) -> Result<Verdict, Status> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| Status::unavailable("too many logins at the same moment"))?;
        let core = Arc::clone(&self.cores).acquire_owned().await.expect("nobody closes the semaphore");
        let checking = task::spawn_blocking(move || {
            // Held until the work is done, also when nobody waits for it any more.
            let _held = (place, core);
            check(&password, encoded.as_deref())
        });
        checking.await.map_err(|_| Status::internal("the password check failed"))
    }
}

fn check(password: &str, encoded: Option<&str>) -> Verdict {
    match encoded.filter(|encoded| is_usable(encoded)) {
        Some(encoded) if !password::verify(password, encoded) => Verdict::Wrong,
        Some(encoded) if password::needs_rehash(encoded) => Verdict::Outdated(password::hash(password)),
        Some(_) => Verdict::Right,
        None => {
            password::spend_like_verify(password);
            Verdict::Wrong
        }
    }
}

/// Django marks accounts that cannot log in with a password by a `!`.
fn is_usable(encoded: &str) -> bool {
    !encoded.is_empty() && !encoded.starts_with('!')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One iteration, so that tests are quick; made with Django's `PBKDF2PasswordHasher().encode("secret", "salt", 1)`.
    const WEAK: &str = "pbkdf2_sha256$1$salt$ON9CizCTCOSMNofn+QvaDpzyU1aMIex1Sg4HarSrZCM=";

    #[tokio::test]
    async fn a_weak_hash_is_replaced_when_the_password_is_right() {
        let passwords = Passwords::new(1, 1);
        let verdict = passwords.check("secret".to_owned(), Some(WEAK.to_owned())).await.unwrap();
        let Verdict::Outdated(better) = verdict else { panic!("{verdict:?}") };
        assert_eq!(passwords.check("secret".to_owned(), Some(better)).await.unwrap(), Verdict::Right);
        assert_eq!(passwords.check("other".to_owned(), Some(WEAK.to_owned())).await.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn nobody_gets_in_without_a_usable_hash() {
        let passwords = Passwords::new(1, 1);
        for encoded in [None, Some(""), Some("!"), Some("!pbkdf2_sha256$1$salt$x")] {
            let verdict = passwords.check(String::new(), encoded.map(str::to_owned)).await.unwrap();
            assert_eq!(verdict, Verdict::Wrong, "{encoded:?}");
        }
    }

    #[tokio::test]
    async fn a_full_queue_refuses() {
        let passwords = Passwords::new(1, 0);
        let _only_place = passwords.places.try_acquire().unwrap();
        let refused = passwords.check("secret".to_owned(), None).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::Unavailable);
    }
}
