//! Accepts connections and serves HTTP on them, until they become sockets or end.

use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

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
const REFUSED: &str =
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Serves `router` until `drain` is cancelled, to at most `max_connections` at once; sockets, once they are such, do not
/// count. Returns when all requests are answered.
pub(crate) async fn serve(listener: TcpListener, router: Router, max_connections: usize, drain: CancellationToken) {
    let connections = TaskTracker::new();
    let refusals = TaskTracker::new();
    while let Some(accepted) = drain.run_until_cancelled(listener.accept()).await {
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) if is_about_one_client(&error) => continue,
            Err(error) => {
                warn!(%error, "cannot accept connections");
                time::sleep(EXHAUSTED_PAUSE).await;
                continue;
            }
        };
        if connections.len() < max_connections {
            connections.spawn(serve_connection(stream, router.clone(), drain.clone()));
        } else if refusals.len() < MAX_REFUSALS {
            refusals.spawn(refuse(stream));
        }
    }
    drop(listener);
    for tracker in [connections, refusals] {
        tracker.close();
        tracker.wait().await;
    }
}

async fn serve_connection(stream: TcpStream, router: Router, drain: CancellationToken) {
    // A chat frame must not wait for the acknowledgement of the one before.
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "cannot set TCP_NODELAY");
    }
    let service = TowerToHyperService::new(router);
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
    let refusal = async {
        stream.write_all(REFUSED.as_bytes()).await?;
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
        (address, serve(listener, router, max_connections, drain))
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
            assert!(refusal.starts_with("HTTP/1.1 503 ") && refusal.contains("\r\nRetry-After: 5\r\n"), "{refusal}");
            drain.cancel();
            let rest = answer(&mut first, "").await;
            assert!(rest.ends_with("served"), "{rest}");
        };
        tokio::join!(serving, client);
    }
}
