//! Profiles and tokens. Whoever logs in has one profile, so there is nothing to choose.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use natter_proto::v1;
use serde::Serialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::rest::accounts::{bad_refresh_token, refresh_header, refresh_token};
use crate::rest::answer::Refusal;
use crate::rest::auth::{self, Caller, bearer_token};
use crate::rest::body::{self, invalid};
use crate::rest::field::{Field, FieldError};
use crate::rest::services::ask;

/// An account, as its owner sees it.
#[derive(Debug, Serialize)]
pub(crate) struct Account {
    id: u64,
    username: String,
    email: String,
    profile_types: Vec<String>,
    /// The profile's id.
    current_profile: u64,
    profiles: Vec<Profile>,
    account_type: Option<String>,
}

#[derive(Debug, Serialize)]
struct Profile {
    #[serde(rename = "type")]
    kind: Option<String>,
    id: u64,
}

impl From<v1::Account> for Account {
    fn from(account: v1::Account) -> Self {
        let kind = account.profile_types.first().cloned();
        Self {
            id: account.account_id,
            username: account.username,
            email: account.email,
            profile_types: account.profile_types,
            current_profile: account.account_id,
            profiles: vec![Profile { kind: kind.clone(), id: account.account_id }],
            account_type: kind,
        }
    }
}

/// What a login answers.
pub(crate) fn logged_in(access: &str, refresh: &str, account: v1::Account) -> Value {
    json!({ "access": access, "refresh": refresh, "multiple_logins": false, "account": Account::from(account) })
}

/// Becomes one of one's own profiles, which is the one that one is: answers the tokens that came with the question. New
/// ones would turn an access token, which lasts an hour, into a refresh token.
pub(crate) async fn switch_profile(
    State(app): State<App>,
    Caller(actor): Caller,
    request: Request,
) -> Result<Json<Value>, Refusal> {
    let access = bearer_token(request.headers()).unwrap_or_default().to_owned();
    let in_header = refresh_header(request.headers());
    let fields = body::read(request).await?;
    let wanted = match fields.get("profile_id").map(Field::integer) {
        None | Some(Ok(None)) => return Err(invalid([("profile_id", Some(FieldError::Required))])),
        Some(wanted) => wanted.ok().flatten().and_then(|wanted| wanted.to_u64()),
    };
    if wanted != Some(actor.id.get()) {
        return Err(Refusal::error(StatusCode::NOT_FOUND, "Profile not found"));
    }
    let account = app.gate.account(actor.id).await?.ok_or_else(auth::user_not_found)?;
    let mut answer = json!({ "access": access, "account": Account::from(v1::Account::clone(&account)) });
    if let Some(refresh) = in_header.or_else(|| fields.required("refresh").ok()) {
        answer["refresh"] = refresh.into();
    }
    Ok(Json(answer))
}

/// Refresh token in, a new pair out. The old one stays good until it expires: another tab may hold it.
pub(crate) async fn renew_refresh(
    State(app): State<App>,
    headers: HeaderMap,
    request: Request,
) -> Result<Json<Value>, Refusal> {
    let request = v1::RenewRefreshRequest {
        refresh: refresh_token(&headers, request).await?,
        content: app.dialect.token_content().into(),
    };
    let reply = ask(app.gate.authz().renew_refresh(request)).await?;
    if reply.refresh.is_empty() {
        return Err(bad_refresh_token());
    }
    Ok(Json(json!({ "access": reply.access, "refresh": reply.refresh })))
}
