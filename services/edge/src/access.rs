//! Each request has an id, and each answer a line in the log.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use natter_host::request_id::{self, RequestId};
use tokio::time::Instant;
use tracing::{debug, warn};

/// Answers the request under the id that it came with, or else under a new one, and says in the answer which that is.
pub(crate) async fn identified(request: Request, next: Next) -> Response {
    let id = RequestId::given(request.headers()).unwrap_or_else(RequestId::fresh);
    let mut response = request_id::within(Some(id.clone()), told(request, next)).await;
    response.headers_mut().insert(request_id::HEADER, id.value());
    response
}

async fn told(request: Request, next: Next) -> Response {
    let (method, uri, begun) = (request.method().clone(), request.uri().clone(), Instant::now());
    let response = next.run(request).await;
    // Never the query, in which sockets bring their token.
    let (path, status) = (uri.path(), response.status());
    let (code, elapsed_ms) = (status.as_u16(), u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX));
    // What is overloaded or away is told elsewhere, with the reason, and not once for each who asks.
    if status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE {
        warn!(%method, path, code, elapsed_ms, "answered");
    } else {
        debug!(%method, path, code, elapsed_ms, "answered");
    }
    response
}
