//! Serving gRPC: a listener with the standard health service, which tells the program's real readiness.

mod connection;
mod counted;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::http::Request;
use axum::response::IntoResponse;
use futures_util::StreamExt as _;
use futures_util::stream::{self, Stream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tower::Service;
use tracing::debug;

use counted::Counted;

use crate::exit::Misconfigured;
use crate::listen;
use crate::readiness::Readiness;

/// Settings of every program that serves gRPC.
#[derive(Debug, Clone, clap::Args)]
pub struct GrpcConfig {
    /// Seconds that a connection of a client lasts, a tenth more or less; 0: for ever. Then the client makes a new one, also
    /// for what it watches, so that processes which were started later get their share of that. Calls in hand are finished.
    #[arg(long, env = "GRPC_CONNECTION_AGE_SECONDS", default_value_t = 300)]
    pub grpc_connection_age_seconds: u32,
}

impl GrpcConfig {
    /// How old connections become.
    pub fn connection_age(&self) -> ConnectionAge {
        let age = Duration::from_secs(self.grpc_connection_age_seconds.into());
        if age.is_zero() { ConnectionAge::UNLIMITED } else { ConnectionAge(Some(age)) }
    }
}

/// How old connections become.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionAge(Option<Duration>);

impl ConnectionAge {
    /// They last until a side ends.
    pub const UNLIMITED: Self = Self(None);

    /// About this.
    #[cfg(test)]
    pub(crate) fn of(age: Duration) -> Self {
        Self(Some(age))
    }

    /// That of one connection. Not all the same, so that clients which came together do not come again together.
    fn draw(self) -> Option<Duration> {
        self.0.map(|age| age.mul_f64(rand::random_range(0.9..=1.1)))
    }
}

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
    pub async fn serve<S: GrpcService>(
        self,
        service: S,
        readiness: &Readiness,
        age: ConnectionAge,
        drain: CancellationToken,
    ) {
        let incoming = stream::unfold(self.listener, accept);
        serve(service, incoming, readiness, age, drain).await;
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
    age: ConnectionAge,
    drain: CancellationToken,
) where
    S: GrpcService,
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (reporter, health) = tonic_health::server::health_reporter();
    let routes = Routes::new(Counted::new(service)).add_service(health).prepare();
    let mut serving = pin!(take_in(incoming, &routes, age, &drain));
    tokio::select! {
        () = &mut serving => {}
        () = tell_health(reporter, readiness, S::NAME) => serving.await,
    }
}

async fn take_in<C>(
    incoming: impl Stream<Item = io::Result<C>>,
    routes: &Routes,
    age: ConnectionAge,
    drain: &CancellationToken,
) where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut connections = JoinSet::new();
    {
        let mut incoming = pin!(incoming);
        loop {
            tokio::select! {
                () = drain.cancelled() => break,
                Some(_) = connections.join_next() => {}
                next = incoming.next() => match next {
                    Some(Ok(io)) => {
                        connections.spawn(connection::serve(io, routes.clone(), age.draw(), drain.clone()));
                    }
                    Some(Err(error)) => debug!(%error, "a connection did not come to be"),
                    None => break,
                }
            }
        }
        // Those who come now are refused and go elsewhere, instead of waiting for a program that ends.
    }
    while connections.join_next().await.is_some() {}
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
    use axum::body::Bytes;
    use axum::http::{Response, Uri};
    use http_body_util::{BodyStream, StreamBody};
    use hyper::body::Frame;
    use hyper_util::rt::TokioIo;
    use std::future::{Ready, ready};
    use std::task::{Context, Poll};
    use tokio::sync::mpsc;
    use tokio::time::Instant;
    use tonic::Status;
    use tonic::transport::Endpoint;
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_check_response::ServingStatus as Answer;
    use tonic_health::pb::health_client::HealthClient;
    use tower::{ServiceExt as _, service_fn};

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

    /// Says something, and then no more.
    #[derive(Clone)]
    struct Silent;

    impl NamedService for Silent {
        const NAME: &'static str = "test.Silent";
    }

    impl Service<Request<Body>> for Silent {
        type Response = Response<Body>;
        type Error = Infallible;
        type Future = Ready<Result<Self::Response, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<Body>) -> Self::Future {
            let said = stream::once(ready(Ok::<_, Status>(Frame::data(Bytes::from_static(b"said")))));
            ready(Ok(Response::new(Body::new(StreamBody::new(said.chain(stream::pending()))))))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_over_an_old_connection_ends_with_a_status_and_begins_again_over_a_new_one() {
        let drain = CancellationToken::new();
        let readiness = Readiness::new(&[], drain.clone());
        let (connections, incoming) = mpsc::channel(1);
        let incoming = stream::unfold(incoming, async |mut incoming| Some((Ok(incoming.recv().await?), incoming)));
        let connector = service_fn(move |_: Uri| {
            let (client, server) = tokio::io::duplex(1024);
            let connections = connections.clone();
            async move { connections.send(server).await.map(|()| TokioIo::new(client)).map_err(io::Error::other) }
        });
        let channel = Endpoint::from_static("http://test").connect_with_connector_lazy(connector);
        let watching = async {
            for _ in 0..3 {
                let begun = Instant::now();
                let request = Request::post("/test.Silent/watch").body(Body::empty()).unwrap();
                let mut frames = BodyStream::new(channel.clone().oneshot(request).await.unwrap().into_body());
                assert!(frames.next().await.unwrap().unwrap().is_data());
                let last = frames.next().await.unwrap().unwrap().into_trailers().unwrap();
                assert_eq!(last.get(Status::GRPC_STATUS).unwrap(), "14");
                assert!(frames.next().await.is_none());
                let lasted = begun.elapsed();
                assert!((270..=350).contains(&lasted.as_secs()), "{lasted:?}");
            }
            drain.cancel();
        };
        let age = GrpcConfig { grpc_connection_age_seconds: 300 }.connection_age();
        tokio::join!(serve(Silent, incoming, &readiness, age, drain.clone()), watching);
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
        tokio::join!(listener.serve(Nothing, &readiness, ConnectionAge::UNLIMITED, drain.clone()), watching);
    }
}
