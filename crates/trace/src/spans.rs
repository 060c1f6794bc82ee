//! The spans there are. One message makes one trace:
//!
//! ```text
//! frame message                  an edge has read a frame (or `POST /api/…`, a request)
//! └── publish chat               the log is asked to take it, until it says where it stands
//!     ├── fold chat              persistence puts it into the rows, and says so to the log
//!     ├── deliver chat           an edge puts it into the window that its sockets are served from; one per edge with a reader
//!     └── relay chat             the Redis adapter tells Django
//! ```
//!
//! and each call of a service on the way has a span on both sides. Traces begin with what comes from outside; who takes a
//! record or is called goes on with the caller's, and begins none.
//!
//! Attributes hold ids, so that a message can be looked for. Never what was said, a token or a name.

use std::fmt::Display;

use opentelemetry::trace::Status;
use tracing::{Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::TARGET;
use crate::context::TraceContext;

/// A client's frame, from when it has been read until all that it asks for is done. Begins a trace: a socket lives for
/// hours, and all of it in one would be of no use to anybody.
pub fn frame(kind: &str, conversation: impl Display) -> Span {
    info_span!(
        target: TARGET, parent: None, "frame",
        otel.name = %format_args!("frame {kind}"), otel.kind = "server", natter.conversation = %conversation,
    )
}

/// What came from Django's channel layer, until it is in the log or left out. Begins a trace.
pub fn heard(kind: &str) -> Span {
    info_span!(
        target: TARGET, parent: None, "heard",
        otel.name = %format_args!("hear {kind}"), otel.kind = "consumer", messaging.system = "redis",
        messaging.operation.name = "hear", messaging.operation.type = "process",
    )
}

/// A request over HTTP, from its head to that of the answer. Goes on with the caller's trace, or begins one. `route` is the
/// pattern, not the path: a query may hold a token.
pub fn request(method: &str, route: &str, cause: Option<&TraceContext>) -> Span {
    let span = info_span!(
        target: TARGET, parent: None, "request",
        otel.name = %format_args!("{method} {route}"), otel.kind = "server",
        http.request.method = method, http.route = route,
    );
    child_of(&span, cause);
    span
}

/// The answer to a request over HTTP.
pub fn answered(span: &Span, status: u16) {
    span.set_attribute("http.response.status_code", i64::from(status));
    if status >= 500 {
        failed(span, &status.to_string());
    }
}

/// An event on its way into the log, however often that is tried. Goes on with the trace of the span it is made in.
pub fn publish(system: &str, conversation: impl Display, event: impl Display) -> Span {
    info_span!(
        target: TARGET, "publish chat",
        otel.kind = "producer", messaging.system = system, messaging.operation.name = "publish",
        messaging.operation.type = "send", messaging.destination.name = "chat", messaging.message.id = %event,
        natter.conversation = %conversation,
    )
}

/// The event stands in the log.
pub fn published(span: &Span, position: impl Display) {
    if !span.is_disabled() {
        span.set_attribute("natter.position", position.to_string());
    }
}

/// What is done with one record of the log (`fold`, `deliver`, `relay`), in the trace of who had put it there.
///
/// The span is the child of theirs, though a batch may have many such: to whoever looks, a message is one trace. A link says the
/// same to tools that go by OpenTelemetry's convention for messages, in which the link is what counts.
pub fn process(operation: &str, cause: &TraceContext, conversation: impl Display, position: impl Display) -> Span {
    let span = info_span!(
        target: TARGET, parent: None, "process",
        otel.name = %format_args!("{operation} chat"), otel.kind = "consumer", messaging.operation.name = operation,
        messaging.operation.type = "process", messaging.destination.name = "chat",
        natter.conversation = %conversation, natter.position = %position,
    );
    child_of(&span, Some(cause));
    span.add_link(cause.span_context().clone());
    span
}

/// How many records went the same way in one step.
pub fn batched(span: &Span, records: usize) {
    span.set_attribute("natter.batch.records", i64::try_from(records).unwrap_or(i64::MAX));
}

/// A gRPC call as its caller sees it, until the answer begins. `path` is `/package.Service/Method`.
pub fn call(path: &str) -> Span {
    let (service, method) = parts(path);
    info_span!(
        target: TARGET, "call",
        otel.name = path.trim_start_matches('/'), otel.kind = "client", rpc.system = "grpc", rpc.service = service,
        rpc.method = method,
    )
}

/// A gRPC call as the service sees it.
pub fn serve(path: &str, cause: &TraceContext) -> Span {
    let (service, method) = parts(path);
    let span = info_span!(
        target: TARGET, parent: None, "serve",
        otel.name = path.trim_start_matches('/'), otel.kind = "server", rpc.system = "grpc", rpc.service = service,
        rpc.method = method,
    );
    child_of(&span, Some(cause));
    span
}

/// The gRPC status that a call ended with.
pub fn ended(span: &Span, code: i32) {
    span.set_attribute("rpc.grpc.status_code", i64::from(code));
}

/// It was not done. `why` is one of few words that tell kinds of errors apart.
pub fn failed(span: &Span, why: &str) {
    if !span.is_disabled() {
        span.set_attribute("error.type", why.to_owned());
        span.set_status(Status::error(""));
    }
}

fn parts(path: &str) -> (&str, &str) {
    path.trim_start_matches('/').split_once('/').unwrap_or((path, ""))
}

fn child_of(span: &Span, cause: Option<&TraceContext>) {
    if let Some(cause) = cause {
        // Fails only where nobody exports the span.
        let _ = span.set_parent(cause.remote());
    }
}
