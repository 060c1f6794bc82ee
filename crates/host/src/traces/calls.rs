//! Traces over gRPC: the caller's context in the metadata, and a span on both sides.

use natter_trace::context::TraceContext;
use natter_trace::spans;
use tonic::Code;
use tonic::codegen::http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tracing::{Instrument as _, Span};

/// The header that ends a call whose answer has no more than that.
const GRPC_STATUS: &str = "grpc-status";

/// A span for a call, whose context the request now carries. Only in a trace: what a program asks of its own accord, such as
/// whether somebody is ready, is none.
pub(crate) fn calling<B>(request: &mut Request<B>) -> Span {
    if TraceContext::current().is_none() {
        return Span::none();
    }
    let span = spans::call(request.uri().path());
    let headers = request.headers_mut();
    if let Some(context) = span.in_scope(TraceContext::current) {
        context.write(|name, value| {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                headers.insert(name, value);
            }
        });
    }
    span
}

/// A span for answering a call, if it carries the context of its caller's.
pub(crate) fn answering<B>(request: &Request<B>) -> Span {
    let headers = request.headers();
    let cause = TraceContext::read(|name| headers.get(name).map(HeaderValue::to_str).and_then(Result::ok));
    cause.map_or_else(Span::none, |cause| spans::serve(request.uri().path(), &cause))
}

/// Waits in the span until the call is answered, or is known not to be.
pub(crate) async fn within<B, E>(
    span: Span,
    answer: impl Future<Output = Result<Response<B>, E>>,
) -> Result<Response<B>, E> {
    let answer = answer.instrument(span.clone()).await;
    end(&span, &answer);
    answer
}

fn end<B, E>(span: &Span, answer: &Result<Response<B>, E>) {
    if span.is_disabled() {
        return;
    }
    let code = answer.as_ref().map_or(Code::Unavailable, |response| code(response.headers()));
    spans::ended(span, code.into());
    if code != Code::Ok {
        spans::failed(span, &format!("{code:?}"));
    }
}

/// A failure is told at once, by headers alone. What fails later, in the middle of an answer, is not seen here.
fn code(headers: &HeaderMap) -> Code {
    headers.get(GRPC_STATUS).map_or(Code::Ok, |status| Code::from_bytes(status.as_bytes()))
}
