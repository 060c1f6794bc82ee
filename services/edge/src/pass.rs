//! What lets one socket be here: until its token expires or is revoked, or its owner is removed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use natter_identity::verifier::TokenError;
use natter_model::id::{AccountId, ConversationId};
use natter_model::timestamp::Timestamp;
use natter_wire::problem::Problem;
use tokio::time::{self, Instant};

use crate::auth::{Auth, Token};
use crate::gate::{Admission, GateError};
use crate::goodbye::Goodbye;
use crate::retry;

/// Longest sleep at a time: a timer takes no time to come that lies beyond the end of all clocks.
const LONGEST_SLEEP: Duration = Duration::from_secs(24 * 3600);

/// The right of an account to have a socket in a conversation. Can be renewed.
pub(crate) struct Pass {
    auth: Arc<Auth>,
    account: AccountId,
    conversation: ConversationId,
    /// The last change of rights that was known when the account was let in.
    known: u64,
    token: Mutex<Token>,
}

impl Pass {
    /// Somebody was let in with this token, after the change `known` had been told of.
    pub(crate) fn new(
        auth: Arc<Auth>,
        account: AccountId,
        conversation: ConversationId,
        known: u64,
        token: Token,
    ) -> Self {
        Self { auth, account, conversation, known, token: Mutex::new(token) }
    }

    /// Resolves when the right ends, or when `also`, which tells when to look again, says that it is over. One timer for
    /// both: each connection has one.
    pub(crate) async fn ends(&self, also: impl Fn() -> Result<Instant, Goodbye>) -> Goodbye {
        let mut changes = self.auth.rights.changes(self.account);
        loop {
            let next = match self.look().and_then(|left| Ok(also()?.min(Instant::now() + left.min(LONGEST_SLEEP)))) {
                Ok(next) => next,
                Err(goodbye) => return goodbye,
            };
            // It fails only when it is late.
            let _ = time::timeout_at(next, changes.changed()).await;
        }
    }

    /// Puts this token in place of the one before, if it is a good one of the same account. When it expires.
    pub(crate) async fn renew(&self, token: &str) -> Result<Timestamp, Problem> {
        let (account, token) = self.auth.check(token).await.map_err(|goodbye| match goodbye {
            Goodbye::Unavailable => Problem::Unavailable(retry::when_unavailable()),
            _ => Problem::TokenNotValid,
        })?;
        if account != self.account {
            return Err(Problem::OtherAccount);
        }
        match self.auth.gate.admit_with(account, self.conversation, &token).await {
            // While authz is away, those who are here stay.
            Ok(_) | Err(GateError::Unavailable(_)) => {}
            Err(_) => return Err(Problem::TokenNotValid),
        }
        let expires_at = token.expires_at;
        let before = std::mem::replace(&mut *self.token(), token);
        if expires_at < before.expires_at {
            // Else the timer comes early enough, and finds the new token.
            self.auth.rights.wake(self.account);
        }
        Ok(expires_at)
    }

    /// The socket has ended, perhaps only for a moment: whoever had it need not be asked about again, since authz would have
    /// told of the end of their rights. So a crowd whose lines broke at once comes back without authz.
    pub(crate) async fn remember(&self, admission: Admission) {
        if self.auth.rights.is_followed() && self.look().is_ok() {
            self.auth.gate.remember(admission, self.conversation).await;
        }
    }

    /// How long it lasts, or why it is over.
    fn look(&self) -> Result<Duration, Goodbye> {
        let token = self.token();
        let rights = &self.auth.rights;
        if rights.is_removed(self.account, self.conversation, self.known) {
            return Err(Goodbye::NotAParticipant);
        }
        if rights.is_revoked(self.account, &token) {
            return Err(TokenError::Blacklisted.into());
        }
        let left = token.expires_at.as_micros().saturating_sub(Timestamp::now().as_micros());
        match u64::try_from(left) {
            Ok(left) if left > 0 => Ok(Duration::from_micros(left)),
            _ => Err(TokenError::Expired.into()),
        }
    }

    fn token(&self) -> MutexGuard<'_, Token> {
        // Replaced as a whole.
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HERE, Stage, access_token, account};
    use futures_util::poll;
    use natter_identity::minter::Lifetimes;
    use std::pin::pin;
    use std::task::Poll;

    const EXPIRED: Goodbye = Goodbye::BadToken(TokenError::Expired);
    const REVOKED: Goodbye = Goodbye::BadToken(TokenError::Blacklisted);

    fn nothing_else() -> Result<Instant, Goodbye> {
        Ok(Instant::now() + LONGEST_SLEEP)
    }

    fn lasting(seconds: u64) -> Lifetimes {
        Lifetimes { access: Duration::from_secs(seconds), ..Lifetimes::default() }
    }

    fn in_an_hour() -> Timestamp {
        Timestamp::now().after(Duration::from_secs(3600))
    }

    #[tokio::test]
    async fn it_ends_when_its_token_expires() {
        let stage = Stage::with_window(8);
        let pass = stage.pass_lasting(account(2), lasting(2)).await;
        let expires_at = pass.token().expires_at;
        assert_eq!(pass.ends(nothing_else).await, EXPIRED);
        assert!(Timestamp::now() >= expires_at);
    }

    #[tokio::test]
    async fn a_new_token_takes_the_place_of_the_one_before() {
        let stage = Stage::with_window(8);
        let pass = stage.pass_lasting(account(2), lasting(2)).await;
        let long = access_token(account(2), Lifetimes::default());
        let expires_at = pass.renew(&long).await.expect("a good token");
        assert_eq!(pass.token().expires_at, expires_at);
        let mut ends = pin!(pass.ends(nothing_else));
        assert_eq!(poll!(&mut ends), Poll::Pending);
        pass.renew(&access_token(account(2), lasting(2))).await.expect("also one that lasts less long");
        assert_eq!(ends.await, EXPIRED);
    }

    #[tokio::test]
    async fn a_token_that_is_not_good_changes_nothing() {
        let stage = Stage::with_window(8);
        let pass = stage.pass(account(2)).await;
        let before = pass.token().clone();
        for nonsense in ["", "nonsense"] {
            assert_eq!(pass.renew(nonsense).await, Err(Problem::TokenNotValid));
        }
        let others = access_token(account(3), Lifetimes::default());
        assert_eq!(pass.renew(&others).await, Err(Problem::OtherAccount));
        stage.auth.rights.revoke_tokens_of(account(2), Timestamp::now().as_seconds(), in_an_hour());
        let revoked = access_token(account(2), Lifetimes::default());
        assert_eq!(pass.renew(&revoked).await, Err(Problem::TokenNotValid));
        assert_eq!(*pass.token(), before);
    }

    #[tokio::test]
    async fn it_ends_when_its_token_is_revoked_and_others_go_on() {
        let stage = Stage::with_window(8);
        let mut passes = Vec::new();
        for id in [2, 2, 2, 3] {
            passes.push(stage.pass(account(id)).await);
        }
        let mut ends: Vec<_> = passes.iter().map(|pass| Box::pin(pass.ends(nothing_else))).collect();
        for pass in &mut ends {
            assert_eq!(poll!(pass), Poll::Pending);
        }
        let rights = &stage.auth.rights;
        let jti = |number: usize| passes[number].token().jti.clone();
        rights.revoke_token(Some(account(2)), &jti(0), in_an_hour());
        assert_eq!(ends.remove(0).await, REVOKED);
        rights.revoke_token(None, &jti(1), in_an_hour());
        assert_eq!(ends.remove(0).await, REVOKED);
        for pass in &mut ends {
            assert_eq!(poll!(pass), Poll::Pending);
        }
        rights.revoke_tokens_of(account(2), Timestamp::now().as_seconds(), in_an_hour());
        assert_eq!(ends.remove(0).await, REVOKED);
        assert_eq!(poll!(&mut ends[0]), Poll::Pending);
    }

    #[tokio::test]
    async fn it_ends_when_its_owner_is_removed_from_here_after_coming_in() {
        let stage = Stage::with_window(8);
        let elsewhere = ConversationId::new(77).expect("an id");
        let rights = &stage.auth.rights;
        let pass = stage.pass(account(2)).await;
        let mut ends = pin!(pass.ends(nothing_else));
        rights.remove(account(2), elsewhere, 6);
        rights.remove(account(3), HERE, 7);
        assert_eq!(poll!(&mut ends), Poll::Pending);
        rights.remove(account(2), HERE, 8);
        assert_eq!(ends.await, Goodbye::NotAParticipant);
        let (_, token) = stage.auth.check(&access_token(account(2), Lifetimes::default())).await.expect("a good token");
        let later = Pass::new(Arc::clone(&stage.auth), account(2), HERE, 8, token);
        assert_eq!(poll!(pin!(later.ends(nothing_else))), Poll::Pending, "let in again");
    }
}
