//! The way to a service, for its generated client: each call goes to one of the service's addresses.

mod keeper;
mod line;
mod lines;
mod metrics;
mod unsent;

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http_body_util::{BodyExt as _, Full};
use tokio::time::{Instant, timeout_at};
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::transport::Channel;
use tonic::{Status, TimeoutExpired};
use tower::{BoxError, Service};

use crate::{request_id, traces};
use keeper::Keeper;
pub(crate) use keeper::{Resolve, Target};
use lines::Lines;
use unsent::Unsent;

/// Longest wait for an answer. A password hash takes up to a second on a busy machine.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections that may end under a call one after the other, before their addresses count as such that cannot be asked.
const MAX_TURNS: usize = 4;

/// Leads to a service. Each call has a deadline of five seconds, and goes to another address than the one before. One that
/// could not be sent goes on to the next address. Cheap to clone; all clones share their connections.
///
/// A request is held as a whole until it is answered: a stream of requests would be sent at its end only.
#[derive(Debug, Clone)]
pub struct Calls(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    lines: Lines,
    /// What moved calls are counted under.
    service: Option<&'static str>,
    /// Ends with the last clone.
    keeper: Option<Keeper>,
}

impl From<Channel> for Calls {
    /// To one process, whatever stands behind the channel.
    fn from(channel: Channel) -> Self {
        Self(Arc::new(Inner { lines: Lines::one(channel), service: None, keeper: None }))
    }
}

impl Calls {
    /// To all addresses of the target, looked up from the first call on. Needs a Tokio runtime.
    pub(crate) fn balanced(target: Target, resolve: Resolve) -> Self {
        let service = Some(target.service);
        metrics::describe(target.service);
        let keeper = Keeper::new(target, resolve);
        Self(Arc::new(Inner { lines: Lines::new(keeper.known()), service, keeper: Some(keeper) }))
    }
}

impl Service<Request<Body>> for Calls {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // A connection is chosen for each call, and waited for there.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if let Some(id) = request_id::current() {
            request.headers_mut().insert(request_id::HEADER, id.value());
        }
        let inner = self.0.clone();
        let span = traces::calls::calling(&mut request);
        let answered = async move { inner.call(request).await };
        Box::pin(traces::calls::within(span, answered))
    }
}

impl Inner {
    async fn call(&self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let deadline = Instant::now() + CALL_TIMEOUT;
        self.keeper.iter().for_each(Keeper::begin);
        let (head, body) = request.into_parts();
        let body = timeout_at(deadline, body.collect()).await.map_err(|_| TimeoutExpired(()))??.to_bytes();
        let known = timeout_at(deadline, self.lines.known()).await.map_err(|_| TimeoutExpired(()))?;
        known.map_err(Status::unavailable)?;
        let (mut tried, mut turns) = (Vec::new(), 0);
        let mut failure = BoxError::from(Status::unavailable("it has no addresses"));
        while let Some(line) = self.lines.next(&tried) {
            if let (Some(service), 1..) = (self.service, turns) {
                metrics::moved(service);
            }
            turns += 1;
            let request = Request::from_parts(head.clone(), Body::new(Full::new(body.clone())));
            let answer =
                timeout_at(deadline, line.call(request)).await.unwrap_or_else(|_| Err(TimeoutExpired(()).into()));
            let error = match answer {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            match Unsent::of(&*error) {
                Some(Unsent::NoTurn) if turns < MAX_TURNS => {}
                Some(_) => {
                    line.doubt();
                    tried.push(line);
                }
                None => {
                    if unsent::is_timeout(&*error) {
                        line.doubt();
                    }
                    return Err(error);
                }
            }
            failure = error;
        }
        Err(failure)
    }
}

#[cfg(test)]
mod tests;
