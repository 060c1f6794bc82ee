//! What REST answers when it does not do what was asked.

use std::time::Duration;

use axum::Json;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use natter_wire::problem::Problem;
use serde_json::{Value, json};

use super::field::FieldError;
use super::{auth, body};
use crate::actions::ActionError;
use crate::gate::GateError;
use crate::metrics;
use crate::retry;

/// Why a request was not carried out, as the response that says so.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    challenge: bool,
    /// When to try again.
    wait: Option<Duration>,
    body: Value,
}

impl Refusal {
    /// The framework's kind of error: `{"detail": text}`.
    pub(crate) fn detail(status: StatusCode, text: impl Into<String>) -> Self {
        Self::new(status, json!({ "detail": text.into() }))
    }

    /// The chat views' kind of error: `{"error": text}`.
    pub(crate) fn error(status: StatusCode, text: impl Into<String>) -> Self {
        Self::new(status, json!({ "error": text.into() }))
    }

    /// With this JSON body.
    pub(crate) fn new(status: StatusCode, body: Value) -> Self {
        Self { status, challenge: false, wait: None, body }
    }

    /// 401 with this body, and the header that tells how to authenticate.
    pub(crate) fn challenge(body: Value) -> Self {
        Self { challenge: true, ..Self::new(StatusCode::UNAUTHORIZED, body) }
    }

    /// The response's status.
    #[cfg(test)]
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// The response's body.
    #[cfg(test)]
    pub(crate) fn body(&self) -> &Value {
        &self.body
    }

    /// 404 for a path that could never name anything.
    pub(crate) fn not_found() -> Self {
        Self::detail(StatusCode::NOT_FOUND, "Not found.")
    }

    /// 404 for a conversation that is not there, or not the caller's.
    pub(crate) fn no_conversation() -> Self {
        Self::detail(StatusCode::NOT_FOUND, "No Conversation matches the given query.")
    }

    /// 404 for a message that is not there, or not in one of the caller's conversations.
    pub(crate) fn no_message() -> Self {
        Self::detail(StatusCode::NOT_FOUND, "No Message matches the given query.")
    }

    /// 503: something this depends on is away. Nothing is wrong with the request.
    pub(crate) fn unavailable() -> Self {
        let body =
            json!({ "detail": "The service is temporarily unavailable, please try again.", "code": "unavailable" });
        let wait = retry::when_unavailable();
        metrics::refused(Problem::Unavailable(wait).code());
        Self { wait: Some(wait), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, body) }
    }

    /// 429: the caller asks for more than its share, and may go on after `wait`. The framework's text.
    pub(crate) fn throttled(wait: Duration) -> Self {
        metrics::refused(Problem::RateLimited(wait).code());
        let seconds = retry::whole_seconds(wait).max(1);
        let plural = if seconds == 1 { "" } else { "s" };
        let text = format!("Request was throttled. Expected available in {seconds} second{plural}.");
        Self { wait: Some(wait), ..Self::detail(StatusCode::TOO_MANY_REQUESTS, text) }
    }

    /// 500: nothing the client could mend.
    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            json!({ "detail": "Something went wrong on the server.", "code": "internal" }),
        )
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        if self.challenge {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"api\""));
        }
        if let Some(wait) = self.wait {
            let seconds = retry::whole_seconds(wait).max(1);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<GateError> for Refusal {
    fn from(error: GateError) -> Self {
        match error {
            GateError::NoSuchConversation | GateError::NotAParticipant => Self::no_conversation(),
            GateError::NoSuchAccount => auth::user_not_found(),
            GateError::InactiveAccount => auth::user_inactive(),
            GateError::TokenRevoked => auth::token_revoked(),
            GateError::Unavailable(_) => unavailable(&error),
        }
    }
}

/// For deeds whose own rules the view has checked: only what nobody could foresee is left.
impl From<ActionError> for Refusal {
    fn from(error: ActionError) -> Self {
        match error {
            ActionError::NotYours => Self::error(StatusCode::FORBIDDEN, "You can only change your own messages"),
            ActionError::Deleted => Self::error(StatusCode::BAD_REQUEST, "Cannot edit a deleted message"),
            ActionError::AlreadyDeleted => Self::error(StatusCode::BAD_REQUEST, "Message is already deleted"),
            ActionError::NullCharacter => body::invalid([("content", Some(FieldError::NullCharacter))]),
            ActionError::TooLarge => Self::error(StatusCode::PAYLOAD_TOO_LARGE, "Content is too large"),
            ActionError::Unavailable(_) => unavailable(&error),
        }
    }
}

fn unavailable(error: &(dyn std::error::Error + 'static)) -> Refusal {
    tracing::warn!(error, "REST cannot do what was asked now");
    Refusal::unavailable()
}

/// Django's page for a path that leads nowhere.
pub(crate) async fn nowhere() -> Response {
    const PAGE: &str = "\n<!doctype html>\n<html lang=\"en\">\n<head>\n  <title>Not Found</title>\n</head>\n<body>\n  \
        <h1>Not Found</h1><p>The requested resource was not found on this server.</p>\n</body>\n</html>\n";
    (StatusCode::NOT_FOUND, [(CONTENT_TYPE, "text/html; charset=utf-8")], PAGE).into_response()
}
