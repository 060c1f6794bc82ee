//! Logging in and out, and what becomes of tokens.

use std::net::Ipv4Addr;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use natter_identity::claims::{Claims, TokenType};
use natter_identity::verifier::{Expected, TokenError};
use natter_keys::Unverified;
use natter_model::timestamp::Timestamp;
use natter_proto::v1;
use natter_proto::v1::log_in_reply::Outcome;
use serde_json::{Value, json};

use super::answer::Refusal;
use super::auth::{Caller, bearer_token};
use super::body::{self, Fields, invalid};
use super::field::FieldError;
use super::later::profiles;
use super::objects::Account;
use super::services::ask;
use crate::app::App;
use crate::auth::Token;
use crate::client_address::{Peer, client_address};
use crate::config::dialect::Dialect;

const AN_HOUR: Duration = Duration::from_secs(3600);

/// Name and password in, tokens out.
pub(crate) async fn log_in(State(app): State<App>, request: Request) -> Result<Json<Value>, Refusal> {
    let peer = request.extensions().get().copied().unwrap_or(Peer(Ipv4Addr::UNSPECIFIED.into()));
    let address = client_address(peer, request.headers(), app.n_proxies);
    let fields = body::read(request).await?;
    let (username, email) = names(&fields);
    let request = match (username, fields.required("password")) {
        (Ok(username), Ok(password)) => {
            v1::LogInRequest { username, email, password, content: app.dialect.token_content().into() }
        }
        (username, password) => return Err(invalid([("username", username.err()), ("password", password.err())])),
    };
    let name = if request.username.is_empty() { request.email.clone() } else { request.username.clone() };
    app.limits.logins().attempt(&name, address).await.map_err(|wait| {
        // Not for whom: some type their password there.
        tracing::info!(client = %address, ?wait, "too many attempts to log in");
        Refusal::throttled(wait)
    })?;
    let reply = ask(app.gate.authz().log_in(request)).await?;
    if reply.outcome() == Outcome::LoggedIn {
        app.limits.logins().succeeded(&name, address).await;
    }
    match (reply.outcome(), reply.account) {
        (Outcome::LoggedIn, Some(account)) => Ok(Json(match app.dialect {
            Dialect::Seed => json!({
                "access": reply.access,
                "refresh": reply.refresh,
                "account": Account::from(account),
            }),
            Dialect::Later => profiles::logged_in(&reply.access, &reply.refresh, account),
        })),
        (Outcome::Refused, _) => Err(Refusal::challenge(json!({
            "detail": "No active account found with the given credentials",
        }))),
        (Outcome::NoSuchEmail, _) => Err(Refusal::detail(StatusCode::UNAUTHORIZED, "Invalid credentials.")),
        (Outcome::AmbiguousEmail, _) => Err(Refusal::detail(
            StatusCode::BAD_REQUEST,
            "Multiple accounts use this email. Please login with username.",
        )),
        (outcome, _) => {
            tracing::error!(?outcome, "authz gave a login reply that makes no sense");
            Err(Refusal::internal())
        }
    }
}

/// Refresh token in, a new access token out. The token comes in the header `refresh`, or else in the body.
pub(crate) async fn refresh(
    State(app): State<App>,
    headers: HeaderMap,
    request: Request,
) -> Result<Json<Value>, Refusal> {
    let refresh = refresh_token(&headers, request).await?;
    let content = app.dialect.token_content().into();
    let request = v1::RefreshAccessRequest { refresh: refresh.clone(), content };
    let reply = ask(app.gate.authz().refresh_access(request)).await?;
    if reply.access.is_empty() {
        return Err(bad_refresh_token());
    }
    Ok(Json(json!({ "access": reply.access, "refresh": refresh })))
}

/// The refresh token of a request: in the header, or else in the body.
pub(super) async fn refresh_token(headers: &HeaderMap, request: Request) -> Result<String, Refusal> {
    if let Some(token) = refresh_header(headers) {
        return Ok(token);
    }
    let token = body::read(request).await?.required("refresh");
    token.map_err(|error| invalid([("refresh", Some(error))]))
}

/// 400: nothing is given for this refresh token.
pub(super) fn bad_refresh_token() -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, json!({ "detail": ["Invalid or blacklisted token"] }))
}

/// Whether a token, of whatever type, is good. Revoked refresh tokens are, as in the Django chat: authz says so on refresh.
pub(crate) async fn verify(State(app): State<App>, request: Request) -> Result<Json<Value>, Refusal> {
    let token = body::read(request).await?.required("token").map_err(|error| invalid([("token", Some(error))]))?;
    let claims = app.auth.tokens.verify(&token, Expected::Any).await;
    let is_revoked = |claims: &Claims| {
        let is_access = claims.token_type == TokenType::Access;
        is_access && claims.account.is_some_and(|account| app.auth.rights.is_revoked(account, &Token::of(claims)))
    };
    match claims {
        Ok(claims) if is_revoked(&claims) => Err(not_good(TokenError::Blacklisted)),
        Ok(_) => Ok(Json(json!({}))),
        Err(Unverified::Refused(error)) => Err(not_good(error)),
        Err(Unverified::Away) => Err(Refusal::unavailable()),
    }
}

fn not_good(error: TokenError) -> Refusal {
    Refusal::challenge(json!({ "detail": error.to_string(), "code": "token_not_valid" }))
}

/// Revokes the refresh token in the header `refresh`, and the access token that the request came with.
pub(crate) async fn log_out(
    State(app): State<App>,
    Caller(actor): Caller,
    headers: HeaderMap,
) -> Result<StatusCode, Refusal> {
    let refused = |text| Refusal::detail(StatusCode::BAD_REQUEST, text);
    let refresh = refresh_header(&headers).ok_or_else(|| refused("refresh token is required"))?;
    let access = bearer_token(&headers).unwrap_or_default().to_owned();
    let reply = ask(app.gate.authz().log_out(v1::LogOutRequest { refresh, access: access.clone() })).await?;
    if !reply.revoked {
        return Err(refused("Invalid or already blacklisted token"));
    }
    // Authz will tell of it; but whoever has logged out here is out here at once.
    if let Ok(claims) = app.auth.tokens.verify(&access, Expected::Access).await {
        app.auth.rights.revoke_token(Some(actor.id), &claims.jti, claims.expires_at);
    }
    Ok(StatusCode::RESET_CONTENT)
}

/// Revokes all tokens of the caller that were made before now.
pub(crate) async fn log_out_everywhere(State(app): State<App>, Caller(actor): Caller) -> Result<StatusCode, Refusal> {
    let request = v1::LogOutEverywhereRequest { account_id: actor.id.get() };
    let reply = ask(app.gate.authz().log_out_everywhere(request)).await?;
    // As above. For how long it matters, authz will tell; until then, an hour is enough.
    app.auth.rights.revoke_tokens_of(actor.id, reply.issued_up_to_s, Timestamp::now().after(AN_HOUR));
    Ok(StatusCode::RESET_CONTENT)
}

/// Username and email, of which one is empty. The email counts only if there is no username.
fn names(fields: &Fields) -> (Result<String, FieldError>, String) {
    let username = fields.required("username");
    let email = match username {
        Err(FieldError::Required | FieldError::Null | FieldError::Blank) => fields.required("email").ok(),
        _ => None,
    };
    match email {
        Some(email) => (Ok(String::new()), email),
        None => (username, String::new()),
    }
}

/// The refresh token in the header of that name.
pub(super) fn refresh_header(headers: &HeaderMap) -> Option<String> {
    let token = headers.get("refresh")?.to_str().ok()?.trim();
    (!token.is_empty()).then(|| token.to_owned())
}
