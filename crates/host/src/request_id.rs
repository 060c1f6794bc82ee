//! The id under which everything that was done for one request can be found, in the logs of all programs.
//!
//! It is known to whoever runs [`within`] it, and to nobody that is spawned from there. A socket has the id of the request that
//! opened it, for as long as it lives.

use std::fmt;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use tokio::task_local;

/// The header that carries it, over HTTP and over gRPC.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The longest that is taken from somebody else. A UUID has 36 characters.
const MAX_LENGTH: usize = 64;

task_local! {
    static CURRENT: RequestId;
}

/// Up to 64 letters, digits and `-_.:`, and so good for any log. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// One that nobody had before: 32 hexadecimal digits.
    pub fn fresh() -> Self {
        Self(format!("{:032x}", rand::random::<u128>()).into())
    }

    /// The one that a client or a proxy has given, if it is fit to be one.
    pub fn given(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get(HEADER)?.to_str().ok()?;
        let is_fit = |character: u8| character.is_ascii_alphanumeric() || b"-_.:".contains(&character);
        let is_one = (1..=MAX_LENGTH).contains(&text.len()) && text.bytes().all(is_fit);
        is_one.then(|| Self(text.into()))
    }

    /// For the header.
    pub fn value(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).expect("its characters are all fit for a header")
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Runs the future for the request of this id. Without an id, for nobody's.
pub async fn within<F: Future>(id: Option<RequestId>, future: F) -> F::Output {
    match id {
        Some(id) => CURRENT.scope(id, future).await,
        None => future.await,
    }
}

/// The request that is being worked for here.
pub fn current() -> Option<RequestId> {
    CURRENT.try_with(RequestId::clone).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(value: &[u8]) -> Option<String> {
        let headers = HeaderMap::from_iter([(HEADER, HeaderValue::from_bytes(value).unwrap())]);
        RequestId::given(&headers).map(|id| id.to_string())
    }

    #[test]
    fn what_is_fit_for_a_log_is_taken() {
        let longest = "a".repeat(64);
        for id in
            ["7", "0190b5e0-9d3c-7cc1-9a5b-2d2ff27f9d36", "Root=1:a_b.c".split('=').next_back().unwrap(), &longest]
        {
            assert_eq!(given(id.as_bytes()).as_deref(), Some(id));
        }
        let too_long = "a".repeat(65);
        for id in ["", "a b", "a\"b", "a=b", "a{b}", "ä", &too_long] {
            assert_eq!(given(id.as_bytes()), None, "{id}");
        }
        assert_eq!(RequestId::given(&HeaderMap::new()), None);
    }

    #[tokio::test]
    async fn it_is_known_within_and_nowhere_else() {
        let id = RequestId::fresh();
        assert_ne!(id, RequestId::fresh());
        assert_eq!(given(id.value().as_bytes()), Some(id.to_string()), "others take ours");
        within(Some(id.clone()), async {
            tokio::task::yield_now().await;
            assert_eq!(current(), Some(id.clone()));
            assert_eq!(tokio::spawn(async { current() }).await.unwrap(), None);
        })
        .await;
        assert_eq!(within(None, async { current() }).await, None);
    }
}
