//! Where the client thinks it is, for the absolute links in answers.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header::HOST;
use axum::http::request::Parts;

/// Scheme and host of the request. `X-Forwarded-Proto` and the like are not trusted: anybody can send them.
#[derive(Debug, Clone)]
pub(crate) struct Origin(String);

impl Origin {
    /// The URL of a path that begins with a slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

impl<S: Sync> FromRequestParts<S> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| parts.uri.authority().map(|authority| authority.as_str()));
        Ok(Self(format!("http://{}", host.unwrap_or("localhost"))))
    }
}
