//! The span of a request over HTTP, be it REST or the handshake of a socket.

use axum::extract::{MatchedPath, Request};
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::Response;
use natter_trace::context::TraceContext;
use natter_trace::spans;
use tracing::Instrument as _;

/// Answers the request in a span of its own: a child of what its `traceparent` names, if it has a good one.
pub(crate) async fn within(request: Request, next: Next) -> Response {
    let Some(route) = request.extensions().get::<MatchedPath>() else {
        return next.run(request).await;
    };
    let headers = request.headers();
    let cause = TraceContext::read(|name| headers.get(name).map(HeaderValue::to_str).and_then(Result::ok));
    let span = spans::request(request.method().as_str(), route.as_str(), cause.as_ref());
    let response = next.run(request).instrument(span.clone()).await;
    spans::answered(&span, response.status().as_u16());
    response
}
