//! Tokens: handed out for a password, renewed for a refresh token, and taken back.

use natter_identity::claims::Claims;
use natter_identity::minter::{Content, Subject};
use natter_identity::password::Verdict;
use natter_identity::verifier::Expected;
use natter_keys::Unverified;
use natter_proto::v1;
use natter_proto::v1::log_in_reply::Outcome;
use natter_store::accounts::{Account, RefreshToken};
use tonic::Status;
use tracing::{debug, info, warn};

use crate::Authz;
use crate::reply::{self, ask};
use crate::revocation::issued_at_s;

impl Authz {
    pub(crate) async fn check_credentials(&self, request: v1::LogInRequest) -> Result<v1::LogInReply, Status> {
        let account = if request.username.is_empty() {
            let mut accounts = ask(self.store.accounts_by_email(&request.email)).await?;
            match (accounts.pop(), accounts.is_empty()) {
                (None, _) => {
                    info!(reason = "no such address", "login refused");
                    return Ok(without_tokens(Outcome::NoSuchEmail));
                }
                (Some(_), false) => {
                    info!(reason = "several accounts have the address", "login refused");
                    return Ok(without_tokens(Outcome::AmbiguousEmail));
                }
                (only, true) => only,
            }
        } else {
            ask(self.store.account_by_username(&request.username)).await?
        };
        let told = request.content();
        let encoded = account.as_ref().map(|account| account.password_hash.clone());
        let verdict = self.passwords.check(request.password, encoded).await?;
        match account {
            Some(account) if account.is_active && verdict != Verdict::Wrong => {
                if let Verdict::Outdated(hash) = verdict {
                    self.replace_hash(&account, &hash).await;
                }
                debug!(account = %account.id, "logged in");
                self.hand_out(account, told).await
            }
            account => {
                let reason = match (&account, verdict) {
                    (None, _) => "no such name",
                    (Some(_), Verdict::Wrong) => "wrong password",
                    (Some(_), _) => "inactive",
                };
                // Not the name: some type their password there.
                info!(account = account.map(|account| display(account.id)), reason, "login refused");
                Ok(without_tokens(Outcome::Refused))
            }
        }
    }

    /// A new access token for a refresh token. `None`: it is no good.
    pub(crate) async fn access_for(&self, request: &v1::RefreshAccessRequest) -> Result<Option<String>, Status> {
        let Some(account) = self.account_behind(&request.refresh).await? else { return Ok(None) };
        let now = self.when_tokens_are_good(account.id).await?;
        Ok(Some(self.minter.telling(content(request.content())).access(&subject(&account), now).token))
    }

    /// A new pair of tokens for a refresh token. Empty: it is no good.
    pub(crate) async fn renew(&self, request: &v1::RenewRefreshRequest) -> Result<v1::RenewRefreshReply, Status> {
        // Inactive accounts have no use for it, and could not get one by logging in.
        let account = self.account_behind(&request.refresh).await?.filter(|account| account.is_active);
        let Some(account) = account else { return Ok(v1::RenewRefreshReply::default()) };
        let (access, refresh) = self.mint_pair(&account, request.content()).await?;
        Ok(v1::RenewRefreshReply { access, refresh })
    }

    /// Whose refresh token it is. `None`: it is invalid, expired, revoked, of another type, or its account is gone.
    /// Inactive accounts included, as in the Django chat: their access tokens open nothing.
    async fn account_behind(&self, refresh: &str) -> Result<Option<Account>, Status> {
        let Some(claims) = self.refresh_claims(refresh).await? else { return Ok(None) };
        let Some(id) = claims.account else { return Ok(None) };
        let (revoked, revoked_with_others, account) = tokio::try_join!(
            ask(self.store.is_refresh_token_revoked(&claims.jti)),
            ask(self.rights.is_token_revoked(&claims.jti, id, issued_at_s(claims.issued_at))),
            ask(self.store.account(id))
        )?;
        Ok(account.filter(|_| !revoked && !revoked_with_others))
    }

    /// What a refresh token says; nothing if it is no good.
    pub(crate) async fn refresh_claims(&self, token: &str) -> Result<Option<Claims>, Status> {
        match self.tokens.verify(token, Expected::Refresh).await {
            Ok(claims) => Ok(Some(claims)),
            Err(Unverified::Refused(_)) => Ok(None),
            Err(Unverified::Away) => Err(Status::unavailable("the keys of tokens cannot be read now")),
        }
    }

    async fn hand_out(&self, account: Account, told: v1::TokenContent) -> Result<v1::LogInReply, Status> {
        let (access, refresh) = self.mint_pair(&account, told).await?;
        let account = Some(reply::account(account));
        Ok(v1::LogInReply { outcome: Outcome::LoggedIn.into(), access, refresh, account })
    }

    /// A new access token and a new refresh token, in this order.
    async fn mint_pair(&self, account: &Account, told: v1::TokenContent) -> Result<(String, String), Status> {
        let now = self.when_tokens_are_good(account.id).await?;
        let (minter, subject) = (self.minter.telling(content(told)), subject(account));
        let refresh = minter.refresh(&subject, now);
        let remembered = RefreshToken { jti: refresh.jti, account: account.id, expires_at: refresh.expires_at };
        ask(self.store.record_refresh_token(&remembered)).await?;
        Ok((minter.access(&subject, now).token, refresh.token))
    }

    /// The login is good either way; the next one tries again.
    async fn replace_hash(&self, account: &Account, hash: &str) {
        if ask(self.store.set_password_hash(account.id, &account.password_hash, hash)).await.is_err() {
            warn!(account = %account.id, "an outdated password hash stays");
        }
    }
}

fn without_tokens(outcome: Outcome) -> v1::LogInReply {
    v1::LogInReply { outcome: outcome.into(), ..v1::LogInReply::default() }
}

fn content(told: v1::TokenContent) -> Content {
    match told {
        v1::TokenContent::Account => Content::Account,
        v1::TokenContent::Profile => Content::Profile,
    }
}

fn subject(account: &Account) -> Subject {
    Subject {
        account: account.id,
        username: account.username.clone(),
        email: account.email.clone(),
        profile_types: account.profile_types.clone(),
    }
}
