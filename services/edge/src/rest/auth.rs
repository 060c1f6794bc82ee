//! Who asks: the account behind the `Authorization` header.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use natter_identity::verifier::{Expected, TokenError};
use natter_keys::Unverified;
use natter_model::event::Actor;
use serde_json::json;
use tokio::time::timeout;
use tracing::debug;

use super::answer::Refusal;
use crate::app::App;
use crate::auth::Token;

/// Longest wait until it is known which tokens are revoked. Only a moment after the start is there anything to wait for.
const KNOWING: Duration = Duration::from_secs(3);

/// The account that asks: it has shown a good access token, is there, and is active.
#[derive(Debug)]
pub(crate) struct Caller(pub Actor);

impl FromRequestParts<App> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let token = bearer_token(&parts.headers).map_err(HeaderError::refusal)?;
        let claims = app.auth.tokens.verify(token, Expected::Access).await.map_err(|unverified| match unverified {
            Unverified::Refused(error) => token_not_valid(error),
            Unverified::Away => Refusal::unavailable(),
        })?;
        if !claims.names_user {
            return Err(unrecognizable());
        }
        let id = claims.account.ok_or_else(user_not_found)?;
        timeout(KNOWING, app.auth.rights.known()).await.map_err(|_| Refusal::unavailable())?;
        if app.auth.rights.is_revoked(id, &Token::of(&claims)) {
            return Err(token_revoked());
        }
        let account = app.gate.account(id).await?.ok_or_else(user_not_found)?;
        if !account.is_active {
            return Err(user_inactive());
        }
        app.limits.request(id).await.map_err(Refusal::throttled)?;
        Ok(Self(Actor { id, username: account.username.clone() }))
    }
}

/// 401: the token is good, but its account is gone.
pub(crate) fn user_not_found() -> Refusal {
    Refusal::challenge(json!({ "detail": "User not found", "code": "user_not_found" }))
}

/// 401: the token was taken back.
pub(crate) fn token_revoked() -> Refusal {
    token_not_valid(TokenError::Blacklisted)
}

/// 401: the account may not do anything.
pub(crate) fn user_inactive() -> Refusal {
    Refusal::challenge(json!({ "detail": "User is inactive", "code": "user_inactive" }))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeaderError {
    /// There is no header, or it speaks of something else than bearer tokens.
    Absent,
    /// The scheme is not followed by exactly one word.
    NotTwoWords,
}

impl HeaderError {
    fn refusal(self) -> Refusal {
        Refusal::challenge(match self {
            Self::Absent => json!({ "detail": "Authentication credentials were not provided." }),
            Self::NotTwoWords => json!({
                "detail": "Authorization header must contain two space-delimited values",
                "code": "bad_authorization_header",
            }),
        })
    }
}

pub(super) fn bearer_token(headers: &HeaderMap) -> Result<&str, HeaderError> {
    let header = headers.get(AUTHORIZATION).map_or(&b""[..], |value| value.as_bytes());
    let mut words = header.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    if words.next() != Some(b"Bearer") {
        return Err(HeaderError::Absent);
    }
    let (Some(token), None) = (words.next(), words.next()) else {
        return Err(HeaderError::NotTwoWords);
    };
    // What is not even text is no token either; the verifier says so.
    Ok(std::str::from_utf8(token).unwrap_or_default())
}

fn token_not_valid(error: TokenError) -> Refusal {
    debug!(%error, "a token is refused");
    Refusal::challenge(json!({
        "detail": "Given token not valid for any token type",
        "code": "token_not_valid",
        "messages": [{ "token_class": "AccessToken", "token_type": "access", "message": error.to_string() }],
    }))
}

fn unrecognizable() -> Refusal {
    Refusal::challenge(json!({
        "detail": "Token contained no recognizable user identification",
        "code": "token_not_valid",
    }))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn token(header: &'static [u8]) -> Result<String, HeaderError> {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_bytes(header).expect("a header"))]);
        bearer_token(&headers).map(str::to_owned)
    }

    #[test]
    fn a_bearer_token_is_two_words_whatever_lies_between() {
        assert_eq!(token(b"Bearer abc"), Ok("abc".to_owned()));
        assert_eq!(token(b"  Bearer \t  abc "), Ok("abc".to_owned()));
        assert_eq!(token(b"Bearer \xff"), Ok(String::new()));
    }

    #[test]
    fn other_schemes_are_no_credentials() {
        assert_eq!(bearer_token(&HeaderMap::new()), Err(HeaderError::Absent));
        for header in [&b""[..], b"bearer abc", b"Token abc", b"Basic eDp5", b"abc", b"BearerX abc"] {
            assert_eq!(token(header), Err(HeaderError::Absent));
        }
    }

    #[test]
    fn one_word_or_three_are_an_error() {
        for header in [&b"Bearer"[..], b"Bearer ", b"Bearer abc x"] {
            assert_eq!(token(header), Err(HeaderError::NotTwoWords));
        }
    }
}
