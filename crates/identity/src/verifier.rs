//! Verifies tokens in simplejwt's order of checks, with its texts.

use natter_model::timestamp::Timestamp;
use serde_json::Value;

use crate::claims::{self, Claims, TokenType, USER_ID};
use crate::jws::Object;
use crate::key::SigningKey;
use crate::key_set::KeySet;

/// The end of year 9999, the last second that Python's `datetime` holds.
const LAST_SECOND: i64 = 253_402_300_799;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// Why a token is refused. `Display` gives simplejwt's text, which clients see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Malformed, not signed by any of the keys, not good yet, or with a claim of the wrong kind.
    #[error("Token is invalid")]
    Invalid,
    /// Was good once.
    #[error("Token is expired")]
    Expired,
    /// Would be good for ever.
    #[error("Token has no 'exp' claim")]
    NoExpiry,
    /// Could not be revoked.
    #[error("Token has no id")]
    NoId,
    /// Does not say what it is for.
    #[error("Token has no type")]
    NoType,
    /// Is for something else.
    #[error("Token has wrong type")]
    WrongType,
    /// Was taken back. Said by whoever keeps the list, never by [`Verifier`].
    #[error("Token is blacklisted")]
    Blacklisted,
}

/// What the token must be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// An access token.
    Access,
    /// A refresh token.
    Refresh,
    /// Any type, or none.
    Any,
}

/// What is demanded beyond a signature. The default demands nothing, allows no leeway, and reads `user_id`.
#[derive(Debug, Clone)]
pub struct VerifierSettings {
    /// How far the clocks of signer and verifier may differ, in seconds. Default 0.
    pub leeway_seconds: u32,
    /// The audience that `aud` must name. Default: `aud` is not looked at.
    pub audience: Option<String>,
    /// What `iss` must be. Default: `iss` is not looked at.
    pub issuer: Option<String>,
    /// The claim that names the account. Default [`USER_ID`].
    pub user_claim: String,
}

impl Default for VerifierSettings {
    fn default() -> Self {
        Self { leeway_seconds: 0, audience: None, issuer: None, user_claim: USER_ID.to_owned() }
    }
}

/// Verifies tokens. Cheap to share behind an `Arc`; keeps nothing about the tokens it has seen.
#[derive(Debug, Clone)]
pub struct Verifier {
    keys: KeySet,
    settings: VerifierSettings,
}

impl Verifier {
    /// For tokens that `key` signs.
    pub fn new(key: &SigningKey, settings: VerifierSettings) -> Self {
        Self::with_keys(KeySet::new([key.verifying_key().clone()]), settings)
    }

    /// For tokens that one of these keys has signed.
    pub fn with_keys(keys: KeySet, settings: VerifierSettings) -> Self {
        Self { keys, settings }
    }

    /// The keys.
    pub fn keys(&self) -> &KeySet {
        &self.keys
    }

    /// The token's claims, if all is in order at `now`. Where refresh tokens can be revoked, use [`Verifier::decode`].
    pub fn verify(&self, token: &str, expected: Expected, now: Timestamp) -> Result<Claims, TokenError> {
        self.decode(token, now)?.into_claims(expected)
    }

    /// The first half of [`Verifier::verify`]: signature and times. The blacklist is asked between the halves, so that
    /// what a client is told does not depend on who asks it.
    pub fn decode(&self, token: &str, now: Timestamp) -> Result<Decoded, TokenError> {
        let payload = self.keys.open(token).ok_or(TokenError::Invalid)?;
        let leeway = i64::from(self.settings.leeway_seconds) * MICROS_PER_SECOND;
        let earliest = Timestamp::from_micros(now.as_micros().saturating_sub(leeway));
        let latest = Timestamp::from_micros(now.as_micros().saturating_add(leeway));

        let issued_at = moment(&payload, "iat")?;
        let not_before = moment(&payload, "nbf")?;
        if issued_at.max(not_before).is_some_and(|start| start > latest) {
            return Err(TokenError::Invalid);
        }
        let expires_at = moment(&payload, "exp")?;
        if expires_at.is_some_and(|end| end <= earliest) {
            return Err(TokenError::Expired);
        }
        let are_strings = ["sub", "jti"].iter().all(|name| payload.get(*name).is_none_or(Value::is_string));
        if are_strings && self.is_from_issuer(&payload) && self.is_for_audience(&payload) {
            Ok(Decoded { payload, issued_at, expires_at, user_claim: self.settings.user_claim.clone() })
        } else {
            Err(TokenError::Invalid)
        }
    }

    fn is_from_issuer(&self, payload: &Object) -> bool {
        let Some(issuer) = &self.settings.issuer else { return true };
        payload.get("iss").and_then(Value::as_str) == Some(issuer)
    }

    fn is_for_audience(&self, payload: &Object) -> bool {
        let Some(audience) = &self.settings.audience else { return true };
        match payload.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(many)) => many.iter().all(Value::is_string) && many.iter().any(|one| one == audience),
            _ => false,
        }
    }
}

/// A token whose signature and times are in order, and nothing else yet.
#[derive(Debug)]
pub struct Decoded {
    payload: Object,
    issued_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    user_claim: String,
}

impl Decoded {
    /// The token's id, by which the blacklist knows it.
    pub fn jti(&self) -> Option<&str> {
        self.payload.get("jti")?.as_str()
    }

    /// The second half of [`Verifier::verify`]: the token is complete and for what is expected.
    pub fn into_claims(self, expected: Expected) -> Result<Claims, TokenError> {
        let expires_at = self.expires_at.ok_or(TokenError::NoExpiry)?;
        let jti = self.jti().ok_or(TokenError::NoId)?.to_owned();
        let claim = self.payload.get("token_type");
        let token_type = TokenType::of(claim);
        let wanted = match expected {
            Expected::Access => Some(TokenType::Access),
            Expected::Refresh => Some(TokenType::Refresh),
            Expected::Any => None,
        };
        if let Some(wanted) = wanted {
            claim.ok_or(TokenError::NoType)?;
            if token_type != wanted {
                return Err(TokenError::WrongType);
            }
        }
        let account = claims::account_of(&self.payload, &self.user_claim);
        let names_user = self.payload.contains_key(&self.user_claim);
        let (issued_at, payload) = (self.issued_at, self.payload);
        Ok(Claims { token_type, jti, expires_at, issued_at, account, names_user, payload })
    }
}

/// A claim in whole seconds since the epoch. Moments before what [`Timestamp`] holds become its first one.
fn moment(payload: &Object, name: &str) -> Result<Option<Timestamp>, TokenError> {
    let Some(value) = payload.get(name) else { return Ok(None) };
    let seconds = value.as_i64().filter(|seconds| *seconds <= LAST_SECOND).ok_or(TokenError::Invalid)?;
    Ok(Some(Timestamp::from_micros(seconds.saturating_mul(MICROS_PER_SECOND))))
}
