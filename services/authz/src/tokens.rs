//! Tokens: handed out for a password, renewed for a refresh token, and taken back.

use natter_identity::claims::Claims;
use natter_identity::minter::Subject;
use natter_identity::verifier::Expected;
use natter_model::timestamp::Timestamp;
use natter_proto::v1;
use natter_proto::v1::log_in_reply::Outcome;
use natter_store::accounts::{Account, RefreshToken};
use tonic::Status;
use tracing::warn;

use crate::Authz;
use crate::passwords::Verdict;
use crate::reply::{self, ask};
use crate::revocation::issued_at_s;

impl Authz {
    pub(crate) async fn check_credentials(&self, request: v1::LogInRequest) -> Result<v1::LogInReply, Status> {
        let account = if request.username.is_empty() {
            let mut accounts = ask(self.store.accounts_by_email(&request.email)).await?;
            match (accounts.pop(), accounts.is_empty()) {
                (None, _) => return Ok(without_tokens(Outcome::NoSuchEmail)),
                (Some(_), false) => return Ok(without_tokens(Outcome::AmbiguousEmail)),
                (only, true) => only,
            }
        } else {
            ask(self.store.account_by_username(&request.username)).await?
        };
        let encoded = account.as_ref().map(|account| account.password_hash.clone());
        let verdict = self.passwords.check(request.password, encoded).await?;
        match account {
            Some(account) if account.is_active && verdict != Verdict::Wrong => {
                if let Verdict::Outdated(hash) = verdict {
                    self.replace_hash(&account, &hash).await;
                }
                self.hand_out(account).await
            }
            _ => Ok(without_tokens(Outcome::Refused)),
        }
    }

    /// A new access token for a refresh token. `None`: it is invalid, expired, revoked, of another type, or its
    /// account is gone.
    pub(crate) async fn access_for(&self, refresh: &str) -> Result<Option<String>, Status> {
        let now = Timestamp::now();
        let Some(claims) = self.refresh_claims(refresh, now) else { return Ok(None) };
        let Some(id) = claims.account else { return Ok(None) };
        let (revoked, revoked_with_others, account) = tokio::try_join!(
            ask(self.store.is_refresh_token_revoked(&claims.jti)),
            ask(self.rights.is_token_revoked(&claims.jti, id, issued_at_s(claims.issued_at))),
            ask(self.store.account(id))
        )?;
        // Inactive accounts included, as in the Django chat: their access tokens open nothing.
        let Some(account) = account.filter(|_| !revoked && !revoked_with_others) else { return Ok(None) };
        let now = self.when_tokens_are_good(id).await?;
        Ok(Some(self.minter.access(&subject(&account), now).token))
    }

    pub(crate) fn refresh_claims(&self, token: &str, now: Timestamp) -> Option<Claims> {
        self.verifier.verify(token, Expected::Refresh, now).ok()
    }

    async fn hand_out(&self, account: Account) -> Result<v1::LogInReply, Status> {
        let now = self.when_tokens_are_good(account.id).await?;
        let subject = subject(&account);
        let refresh = self.minter.refresh(&subject, now);
        let remembered = RefreshToken { jti: refresh.jti, account: account.id, expires_at: refresh.expires_at };
        ask(self.store.record_refresh_token(&remembered)).await?;
        Ok(v1::LogInReply {
            outcome: Outcome::LoggedIn.into(),
            access: self.minter.access(&subject, now).token,
            refresh: refresh.token,
            account: Some(reply::account(account)),
        })
    }

    /// The login is good either way; the next one tries again.
    async fn replace_hash(&self, account: &Account, hash: &str) {
        if ask(self.store.set_password_hash(account.id, &account.password_hash, hash)).await.is_err() {
            warn!(account.id = %account.id, "an outdated password hash stays");
        }
    }
}

fn without_tokens(outcome: Outcome) -> v1::LogInReply {
    v1::LogInReply { outcome: outcome.into(), ..v1::LogInReply::default() }
}

fn subject(account: &Account) -> Subject {
    Subject {
        account: account.id,
        username: account.username.clone(),
        email: account.email.clone(),
        profile_types: account.profile_types.clone(),
    }
}
