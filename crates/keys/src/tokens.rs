//! Is this token good? Asked by everybody who reads tokens.

use std::sync::Arc;
use std::time::Duration;

use natter_identity::claims::Claims;
use natter_identity::unproven;
use natter_identity::verifier::{Expected, TokenError, Verifier};
use natter_model::timestamp::Timestamp;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{self, Instant};

use crate::fetch;
use crate::keys::BETWEEN_LOOKS;

/// Those who may wait at once for a key that is not here. Everybody can name one.
const MAX_WAITING: usize = 1000;
/// Longest wait for a look: until one may begin, and its own deadline.
const PATIENCE: Duration = BETWEEN_LOOKS.saturating_add(fetch::PATIENCE).saturating_add(Duration::from_secs(1));

/// Verifies tokens with the keys of now. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Tokens(Arc<Shared>);

/// Why a token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// It is no good.
    #[error(transparent)]
    Refused(#[from] TokenError),
    /// It may be good, but its key cannot be had now.
    #[error("the keys of tokens cannot be read now")]
    Away,
}

#[derive(Debug)]
struct Shared {
    verifier: watch::Sender<Arc<Verifier>>,
    looks: watch::Sender<Look>,
    wanted: Notify,
    waiting: Semaphore,
    /// There are places that keys come from.
    can_look: bool,
}

/// What came of looking for keys.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    /// When it began.
    pub begun: Instant,
    /// Why a place has never given any.
    pub missing: Option<String>,
    /// A place could not be read.
    pub is_blind: bool,
}

impl Look {
    pub(crate) fn first() -> Self {
        Self { begun: Instant::now(), missing: None, is_blind: false }
    }
}

/// Verifies by this, for ever: where there is nothing to be read again.
impl From<Verifier> for Tokens {
    fn from(verifier: Verifier) -> Self {
        Self::new(verifier, Look::first(), false)
    }
}

impl Tokens {
    pub(crate) fn new(verifier: Verifier, look: Look, can_look: bool) -> Self {
        Self(Arc::new(Shared {
            verifier: watch::Sender::new(Arc::new(verifier)),
            looks: watch::Sender::new(look),
            wanted: Notify::new(),
            waiting: Semaphore::new(MAX_WAITING),
            can_look,
        }))
    }

    /// The token's claims, if all is in order now. Where its key is not here, waits for a look at where keys come from,
    /// which takes some seconds at most.
    pub async fn verify(&self, token: &str, expected: Expected) -> Result<Claims, Unverified> {
        let verifier = self.verifier();
        let refused = match verifier.verify(token, expected, Timestamp::now()) {
            Err(TokenError::Invalid) if self.0.can_look => TokenError::Invalid,
            decided => return Ok(decided?),
        };
        if !verifier.keys().lacks_key_of(token) {
            // One that names no key may be of a place that has given none yet.
            let may_be_good = self.is_complete().is_err() && unproven::read(token).is_some();
            return Err(if may_be_good { Unverified::Away } else { refused.into() });
        }
        let look = self.look_again().await.ok_or(Unverified::Away)?;
        match self.verifier().verify(token, expected, Timestamp::now()) {
            Err(TokenError::Invalid) if look.is_blind => Err(Unverified::Away),
            decided => Ok(decided?),
        }
    }

    /// What decides now.
    pub fn verifier(&self) -> Arc<Verifier> {
        Arc::clone(&self.0.verifier.borrow())
    }

    /// Has every place that keys come from given some? Why not, otherwise.
    pub fn is_complete(&self) -> Result<(), String> {
        match &self.0.looks.borrow().missing {
            Some(why) => Err(why.clone()),
            None => Ok(()),
        }
    }

    /// Resolves when somebody waits for a look.
    pub(crate) async fn wanted(&self) {
        self.0.wanted.notified().await;
    }

    pub(crate) fn replace(&self, verifier: Verifier) {
        self.0.verifier.send_replace(Arc::new(verifier));
    }

    pub(crate) fn looked(&self, look: Look) {
        self.0.looks.send_replace(look);
    }

    /// What comes of a look that has not begun yet. `None`: there is none in time.
    async fn look_again(&self) -> Option<Look> {
        let _place = self.0.waiting.try_acquire().ok()?;
        let asked = Instant::now();
        let mut looks = self.0.looks.subscribe();
        self.0.wanted.notify_one();
        let next = looks.wait_for(|look| look.begun >= asked);
        time::timeout(PATIENCE, next).await.ok()?.ok().map(|look| look.clone())
    }
}
