//! A token in, whose it is and for how long out.

use natter_identity::claims::Claims;
use natter_identity::verifier::{Expected, TokenError};
use natter_keys::Tokens;
use natter_model::id::AccountId;
use natter_model::timestamp::Timestamp;

use crate::gate::Gate;
use crate::goodbye::Goodbye;
use crate::rights::Rights;

/// All that decides whether a token is good.
pub(crate) struct Auth {
    /// Whose tokens are accepted.
    pub tokens: Tokens,
    /// Who may be where.
    pub gate: Gate,
    /// What has been taken back.
    pub rights: Rights,
}

/// What is remembered of an access token: never the token itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// Its unique id.
    pub jti: Box<str>,
    /// When it was made: seconds since the Unix epoch. 0: it does not say.
    pub issued_at_s: i64,
    /// The first moment at which it is no longer good.
    pub expires_at: Timestamp,
}

impl Auth {
    /// Whose token it is. Refused if it is no access token, expired, revoked, or nobody's.
    pub(crate) async fn check(&self, token: &str) -> Result<(AccountId, Token), Goodbye> {
        let claims = self.tokens.verify(token, Expected::Access).await?;
        let account = claims.account.ok_or(Goodbye::NoSuchAccount)?;
        let token = Token::of(&claims);
        if self.rights.is_revoked(account, &token) {
            return Err(TokenError::Blacklisted.into());
        }
        Ok((account, token))
    }
}

impl Token {
    /// The token that says this.
    pub(crate) fn of(claims: &Claims) -> Self {
        Self {
            jti: claims.jti.as_str().into(),
            issued_at_s: claims.issued_at.map_or(0, Timestamp::as_seconds),
            expires_at: claims.expires_at,
        }
    }
}
