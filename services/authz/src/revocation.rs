//! Tokens that are taken back before they expire.

use std::time::Duration;

use natter_identity::verifier::Expected;
use natter_model::id::AccountId;
use natter_model::timestamp::Timestamp;
use natter_store::accounts::RefreshToken;
use natter_store::rights::{RevokedToken, RevokedTokens};
use tokio::time;
use tonic::Status;
use tracing::{debug, info, warn};

use crate::Authz;
use crate::reply::{account_id, ask};

/// As long as a revocation of all tokens is remembered at least: tokens may have been made elsewhere with the same key.
const SHORTEST_MEMORY: Duration = Duration::from_secs(30 * 24 * 3600);
/// Longest wait for a second in which a new token is good. More than one is only needed where clocks differ.
const LONGEST_WAIT: Duration = Duration::from_secs(3);

const MICROS_PER_SECOND: i64 = 1_000_000;

impl Authz {
    /// Takes back a refresh token, and the access token that came with it. `false`: the refresh token was invalid or
    /// had been revoked before.
    pub(crate) async fn log_out_here(&self, refresh: &str, access: &str) -> Result<bool, Status> {
        let Some(claims) = self.refresh_claims(refresh).await? else { return Ok(false) };
        let Some(account) = claims.account else { return Ok(false) };
        if ask(self.rights.is_token_revoked(&claims.jti, account, issued_at_s(claims.issued_at))).await? {
            return Ok(false);
        }
        let refresh = RefreshToken { jti: claims.jti, account, expires_at: claims.expires_at };
        let access = self.tokens.verify(access, Expected::Access).await.ok();
        let access = access.map(|claims| RevokedToken {
            jti: claims.jti,
            account: claims.account,
            expires_at: claims.expires_at,
        });
        let revoked = ask(self.rights.revoke_refresh_token(&refresh, access.as_ref())).await?;
        debug!(%account, revoked, "logged out");
        self.feed.look_at_once();
        Ok(revoked)
    }

    /// Takes back all that an account has. The second up to which that goes.
    pub(crate) async fn revoke_all_of(&self, account: u64) -> Result<i64, Status> {
        let now = Timestamp::now();
        let memory = self.minter.longest().max(SHORTEST_MEMORY);
        let tokens = RevokedTokens {
            account: account_id(account)?,
            issued_up_to_s: now.as_seconds(),
            expires_at: now.after(memory),
        };
        ask(self.rights.revoke_tokens_of(&tokens)).await?;
        info!(account = %tokens.account, "all tokens of the account are revoked");
        self.feed.look_at_once();
        Ok(tokens.issued_up_to_s)
    }

    /// Now; or, if all tokens of this second are revoked, the next second. A token cannot be made for a second to come:
    /// it would not be good yet.
    pub(crate) async fn when_tokens_are_good(&self, account: AccountId) -> Result<Timestamp, Status> {
        loop {
            let revoked_up_to = ask(self.rights.revoked_up_to(account)).await?;
            let now = Timestamp::now();
            let Some(next) = revoked_up_to.filter(|second| *second >= now.as_seconds()) else { return Ok(now) };
            let wait = (next + 1).saturating_mul(MICROS_PER_SECOND) - now.as_micros();
            let wait = Duration::from_micros(wait.unsigned_abs());
            if wait > LONGEST_WAIT {
                warn!(%account, ?wait, "all tokens of the account are revoked up to a second to come; do clocks differ?");
                return Err(Status::unavailable("all tokens of this moment are revoked"));
            }
            time::sleep(wait).await;
        }
    }
}

/// Tokens that do not say when they were made count as the oldest.
pub(crate) fn issued_at_s(issued_at: Option<Timestamp>) -> i64 {
    issued_at.map_or(0, Timestamp::as_seconds)
}
