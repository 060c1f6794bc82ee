//! One connection of a client: served until it is old or the program drains, then brought to an end.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, Request};
use futures_util::{StreamExt as _, stream};
use http_body_util::{BodyStream, StreamBody};
use hyper::body::{Body as _, Frame, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;
use tonic::service::Routes;
use tower::Service as _;
use tracing::debug;

use crate::request_id::{self, RequestId};
use crate::traces;

/// A connection silent for so long is asked whether it lives, and closed if no answer comes in the same time. Both
/// together stay well below the time a drain has: a line that was cut without a word would hold it up until then.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// Calls that one connection may have under way; more wait at the client. Without a bound, some thousand small calls at
/// once look like an attack to the HTTP/2 library, which then ends the connection with all calls on it.
const CALLS_AT_ONCE: u32 = 200;

/// So long calls in hand may take when the connection ends. Clients wait for five seconds: what is left are streams that
/// would never end.
const GRACE: Duration = Duration::from_secs(8);

/// So long the client has to notice that all its calls have ended.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Serves it until it has been there for `age`, or `drain` is cancelled. Then the client is told to make its next calls over
/// another one; those in hand go on, streams are ended after a while.
pub(super) async fn serve<C>(io: C, routes: Routes, age: Option<Duration>, drain: CancellationToken)
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let ended = CancellationToken::new();
    let service = service_fn(|request: Request<Incoming>| {
        let (mut routes, ended) = (routes.clone(), ended.clone());
        async move {
            let id = RequestId::given(request.headers());
            let span = traces::calls::answering(&request);
            let answer = request_id::within(id, routes.call(request.map(Body::new)));
            let response = traces::calls::within(span, answer).await?;
            Ok::<_, Infallible>(response.map(|body| until(ended, body)))
        }
    });
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(CALLS_AT_ONCE)
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(io), service));
    let is_old = async {
        match age {
            Some(age) => sleep(age).await,
            None => std::future::pending().await,
        }
    };
    let outcome = tokio::select! {
        outcome = connection.as_mut() => Some(outcome),
        () = drain.cancelled() => None,
        () = is_old => None,
    };
    let outcome = match outcome {
        Some(outcome) => outcome,
        None => {
            connection.as_mut().graceful_shutdown();
            match timeout(GRACE, connection.as_mut()).await {
                Ok(outcome) => outcome,
                Err(_) => {
                    ended.cancel();
                    timeout(LAST_WORDS, connection).await.unwrap_or(Ok(()))
                }
            }
        }
    };
    if let Err(error) = outcome {
        debug!(%error, "a connection broke");
    }
}

/// The body, until it has to end.
fn until(ended: CancellationToken, body: Body) -> Body {
    if body.is_end_stream() {
        return body;
    }
    let frames = stream::unfold(Some((BodyStream::new(body), ended)), async |state| {
        let (mut frames, ended) = state?;
        tokio::select! {
            biased;
            frame = frames.next() => frame.map(|frame| (frame, Some((frames, ended)))),
            () = ended.cancelled() => Some((last_frame(), None)),
        }
    });
    Body::new(StreamBody::new(frames))
}

fn last_frame() -> Result<Frame<Bytes>, Status> {
    let mut trailers = HeaderMap::new();
    Status::unavailable("this connection ends; ask again over another one").add_header(&mut trailers)?;
    Ok(Frame::trailers(trailers))
}
