//! Taking a listening address, or saying which setting names it.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::exit::Misconfigured;

/// Listens. `setting` is the environment variable that the address came from.
pub async fn bind(setting: &str, address: SocketAddr) -> Result<TcpListener, Misconfigured> {
    TcpListener::bind(address).await.map_err(|error| refused(setting, address, &error))
}

/// Why an address could not be taken, and what to do.
pub fn refused(setting: &str, address: SocketAddr, error: &io::Error) -> Misconfigured {
    let mend = match error.kind() {
        io::ErrorKind::AddrInUse => "another program listens there; end it or choose another port",
        io::ErrorKind::PermissionDenied => "ports below 1024 need more rights; choose a higher one",
        io::ErrorKind::AddrNotAvailable => "this machine has no such address; choose one of its own, or 0.0.0.0",
        _ => "choose another address",
    };
    Misconfigured::new(setting, format!("cannot listen on {address}: {error}; {mend}"))
}
