//! gRPC between parts of one process: the same services, over memory instead of a network.

use std::io;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use natter_host::calls::Calls;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Endpoint, Uri};
use tower::service_fn;

/// Bytes on their way in each direction. HTTP/2 begins with windows of this size.
const BUFFER_BYTES: usize = 64 * 1024;

/// Longest wait for an answer, as between processes: a disk that hangs must not leave anybody waiting for ever.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// The way to a service, and the connections that it makes, for the service's server to take.
pub(crate) fn link() -> (Calls, impl Stream<Item = io::Result<DuplexStream>>) {
    // A channel has one connection at a time.
    let (connections, incoming) = mpsc::channel(1);
    let connector = service_fn(move |_: Uri| {
        let connections = connections.clone();
        async move {
            let (client, server) = tokio::io::duplex(BUFFER_BYTES);
            let gone = |_| io::Error::new(io::ErrorKind::ConnectionRefused, "the service has ended");
            connections.send(server).await.map_err(gone)?;
            Ok::<_, io::Error>(TokioIo::new(client))
        }
    });
    let channel =
        Endpoint::from_static("http://in-process").timeout(CALL_TIMEOUT).connect_with_connector_lazy(connector);
    (channel.into(), ReceiverStream::new(incoming).map(Ok))
}
