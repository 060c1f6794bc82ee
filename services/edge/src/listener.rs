//! Accepts connections and serves HTTP on them, until they become sockets or end.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::time;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tower::ServiceExt as _;
use tracing::{debug, error, warn};

use crate::client_address::Peer;
use crate::metrics;
use crate::retry;

/// Time that a client gets for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// The longest head of a request, in bytes.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Pause after the system had no more file descriptors or memory to accept with.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(500);
/// Connections over the limit that are told so at once; beyond, they are just closed.
const MAX_REFUSALS: usize = 256;
/// Time that a refused client gets to hear it.
const REFUSAL: Duration = Duration::from_secs(1);

/// Connections that may wait to be accepted, as far as the system allows (net.core.somaxconn). Who finds no room there
/// tries again after a second, which is long when thousands come back at once.
const BACKLOG: u32 = 16_384;

/// Takes the address. Clients that connect wait until they are accepted.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// What one client, and all of them, may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Connections at once, sockets not counted.
    pub max_connections: usize,
    /// Bytes that the system keeps for one that does not read.
    pub unsent_bytes: u32,
}

/// Serves `router` at the door until `drain` is cancelled, within these bounds; sockets, once they are such, do not count.
/// Returns when all requests are answered.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    drain: CancellationToken,
    door: &Handle,
) {
    let (connections, refusals) = (TaskTracker::new(), TaskTracker::new());
    let accepting = accept(listener, router, bounds, drain, connections.clone(), refusals.clone());
    if let Err(error) = AbortOnDropHandle::new(door.spawn(accepting)).await {
        error!(%error, "no more connections are accepted");
    }
    for tracker in [connections, refusals] {
        tracker.close();
        tracker.wait().await;
    }
}

async fn accept(
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    drain: CancellationToken,
    connections: TaskTracker,
    refusals: TaskTracker,
) {
    while let Some(accepted) = drain.run_until_cancelled(listener.accept()).await {
        let (stream, peer) = match accepted {
            Ok((stream, peer)) => (stream, Peer(peer.ip())),
            Err(error) if is_about_one_client(&error) => continue,
            Err(error) => {
                warn!(%error, "cannot accept connections");
                time::sleep(EXHAUSTED_PAUSE).await;
                continue;
            }
        };
        if connections.len() < bounds.max_connections {
            prepare(&stream, bounds);
            connections.spawn(serve_connection(stream, peer, router.clone(), drain.clone()));
            continue;
        }
        metrics::refused(metrics::FULL);
        if refusals.len() < MAX_REFUSALS {
            refusals.spawn(refuse(stream));
        }
    }
}

/// Whatever fails here makes the connection slower or costlier, no worse.
fn prepare(stream: &TcpStream, bounds: Bounds) {
    // A chat frame must not wait for the acknowledgement of the one before.
    let nodelay = stream.set_nodelay(true);
    // Otherwise the system takes megabytes for a client that was fast and then ceased to read.
    let unsent = SockRef::from(stream).set_tcp_notsent_lowat(bounds.unsent_bytes);
    if let Err(error) = nodelay.and(unsent) {
        debug!(%error, "cannot prepare a connection");
    }
}

async fn serve_connection(stream: TcpStream, peer: Peer, router: Router, drain: CancellationToken) {
    let service = TowerToHyperService::new(router.map_request(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request
    }));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let outcome = tokio::select! {
        outcome = &mut connection => outcome,
        () = drain.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        debug!(%error, "an HTTP connection broke");
    }
}

async fn refuse(mut stream: TcpStream) {
    let seconds = retry::whole_seconds(retry::when_full());
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: {seconds}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    let refusal = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        // Closing while the request lies unread would reset the line, and the client might not see the answer.
        let mut unread = [0; 1024];
        while stream.read(&mut unread).await? > 0 {}
        Ok::<_, io::Error>(())
    };
    let _ = time::timeout(REFUSAL, refusal).await;
}

fn is_about_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    /// Sends `request` and reads until the server closes.
    async fn answer(stream: &mut TcpStream, request: &str) -> String {
        stream.write_all(request.as_bytes()).await.expect("the line is open");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("the server closes in good order");
        answer
    }

    async fn listening(max_connections: usize, drain: CancellationToken) -> (SocketAddr, impl Future<Output = ()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().route("/", axum::routing::get(async || "served"));
        let bounds = Bounds { max_connections, unsent_bytes: 65_536 };
        (address, async move { serve(listener, router, bounds, drain, &Handle::current()).await })
    }

    #[tokio::test]
    async fn one_too_many_is_told_when_to_come_back() {
        let drain = CancellationToken::new();
        let (address, serving) = listening(1, drain.clone()).await;
        let client = async {
            let mut first = TcpStream::connect(address).await.expect("it listens");
            first.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("the line is open");
            let mut status = [0; 15];
            first.read_exact(&mut status).await.expect("an answer");
            assert_eq!(&status, b"HTTP/1.1 200 OK");
            let mut second = TcpStream::connect(address).await.expect("it listens");
            let refusal = answer(&mut second, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
            assert!(refusal.starts_with("HTTP/1.1 503 ") && refusal.contains("\r\nRetry-After: "), "{refusal}");
            drain.cancel();
            let rest = answer(&mut first, "").await;
            assert!(rest.ends_with("served"), "{rest}");
        };
        tokio::join!(serving, client);
    }

    /// How long the server waits for a request that a client sends like this.
    async fn is_waited_for(send: impl AsyncFn(&mut TcpStream) -> io::Result<()>) -> Duration {
        let drain = CancellationToken::new();
        let (address, serving) = listening(1, drain.clone()).await;
        let begun = time::Instant::now();
        let client = async {
            let mut stream = TcpStream::connect(address).await.expect("it listens");
            // Fails once the server has closed the connection.
            while send(&mut stream).await.is_ok() && begun.elapsed() < HEAD_TIMEOUT * 10 {}
            drain.cancel();
            begun.elapsed()
        };
        tokio::join!(serving, client).1
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_nothing_or_drips_is_cut_off() {
        let silent = is_waited_for(async |stream| match stream.read(&mut [0; 1]).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        });
        assert_eq!(silent.await, HEAD_TIMEOUT);
        let dripping = is_waited_for(async |stream| {
            time::sleep(Duration::from_secs(1)).await;
            stream.write_all(b"G").await
        });
        assert!(dripping.await <= HEAD_TIMEOUT + Duration::from_secs(3));
    }
}
