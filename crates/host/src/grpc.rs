//! Serving gRPC: a listener with the standard health service, which tells the program's real readiness.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::http::Request;
use axum::response::IntoResponse;
use futures_util::stream::{self, Stream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tower::Service;

use crate::exit::Misconfigured;
use crate::listen;
use crate::readiness::Readiness;

/// A connection silent for so long is asked whether it lives, and closed if no answer comes in the same time. Both
/// together stay well below the time a drain has: a line that was cut without a word would hold it up until then.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// Calls that one connection may have under way; more wait at the client. Without a bound, some thousand small calls at
/// once look like an attack to the HTTP/2 library, which then ends the connection with all calls on it.
const CALLS_AT_ONCE: u32 = 200;

/// A gRPC port, taken and not yet served.
#[derive(Debug)]
pub struct GrpcListener {
    listener: TcpListener,
    address: SocketAddr,
}

impl GrpcListener {
    /// Takes the port. `setting` is the environment variable that the address came from.
    pub async fn bind(setting: &str, address: SocketAddr) -> Result<Self, Misconfigured> {
        let listener = listen::bind(setting, address).await?;
        let address = listener.local_addr().map_err(|error| listen::refused(setting, address, &error))?;
        Ok(Self { listener, address })
    }

    /// The address it got.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `drain` is cancelled and the calls in hand are answered.
    pub async fn serve<S>(
        self,
        service: S,
        readiness: &Readiness,
        drain: CancellationToken,
    ) -> Result<(), tonic::transport::Error>
    where
        S: GrpcService,
    {
        let incoming = stream::unfold(self.listener, accept);
        serve(service, incoming, readiness, drain).await
    }
}

/// What tonic generates: a service with a name.
pub trait GrpcService:
    Service<Request<Body>, Error = Infallible, Response: IntoResponse, Future: Send + 'static>
    + NamedService
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> GrpcService for S where
    S: Service<Request<Body>, Error = Infallible, Response: IntoResponse, Future: Send + 'static>
        + NamedService
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// Serves the connections that come in until `drain` is cancelled and the calls in hand are answered.
pub async fn serve<S, C>(
    service: S,
    incoming: impl Stream<Item = io::Result<C>>,
    readiness: &Readiness,
    drain: CancellationToken,
) -> Result<(), tonic::transport::Error>
where
    S: GrpcService,
    C: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
{
    let (reporter, health) = tonic_health::server::health_reporter();
    let serving = Server::builder()
        .max_concurrent_streams(CALLS_AT_ONCE)
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(KEEP_ALIVE))
        .add_service(health)
        .add_service(service)
        .serve_with_incoming_shutdown(incoming, drain.cancelled());
    tokio::pin!(serving);
    tokio::select! {
        served = &mut serving => served,
        () = tell_health(reporter, readiness, S::NAME) => serving.await,
    }
}

async fn accept(mut listener: TcpListener) -> Option<(io::Result<TcpStream>, TcpListener)> {
    // axum's accept waits where accepting fails; tonic would give up.
    let (stream, _) = axum::serve::Listener::accept(&mut listener).await;
    // Without it small answers may be late, no more.
    let _ = stream.set_nodelay(true);
    Some((Ok(stream), listener))
}

async fn tell_health(mut reporter: HealthReporter, readiness: &Readiness, service: &'static str) {
    // The empty name stands for the program as a whole.
    let names = ["", service];
    let mut changes = readiness.changes();
    loop {
        let ready = changes.next().await;
        let status = if ready == Some(true) { ServingStatus::Serving } else { ServingStatus::NotServing };
        for name in names {
            reporter.set_service_status(name, status).await;
        }
        if ready.is_none() {
            break;
        }
    }
    // Ends the health streams that clients watch: they would hold the server open.
    for name in names {
        reporter.clear_service_status(name).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Response;
    use std::future::{Ready, ready};
    use std::task::{Context, Poll};
    use tonic::transport::Endpoint;
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_check_response::ServingStatus as Answer;
    use tonic_health::pb::health_client::HealthClient;

    #[derive(Clone)]
    struct Nothing;

    impl NamedService for Nothing {
        const NAME: &'static str = "test.Nothing";
    }

    impl Service<Request<Body>> for Nothing {
        type Response = Response<Body>;
        type Error = Infallible;
        type Future = Ready<Result<Self::Response, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<Body>) -> Self::Future {
            ready(Ok(Response::default()))
        }
    }

    #[tokio::test]
    async fn health_follows_readiness_and_its_watchers_do_not_hold_up_the_end() {
        let drain = CancellationToken::new();
        let readiness = Readiness::new(&["store"], drain.clone());
        let listener = GrpcListener::bind("TEST_LISTEN", "127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.address();
        let watching = async {
            let channel = Endpoint::new(format!("http://{address}")).unwrap().connect_lazy();
            let request = HealthCheckRequest { service: Nothing::NAME.to_owned() };
            let mut health = HealthClient::new(channel).watch(request).await.unwrap().into_inner();
            let mut status = async || health.message().await.unwrap().map(|answer| answer.status());
            while status().await != Some(Answer::NotServing) {}
            readiness.ready("store");
            assert_eq!(status().await, Some(Answer::Serving));
            drain.cancel();
            while status().await.is_some() {}
        };
        let (served, ()) = tokio::join!(listener.serve(Nothing, &readiness, drain.clone()), watching);
        served.unwrap();
    }
}
