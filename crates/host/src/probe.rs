//! Asking the ops port of a program that runs beside: the health check of images that have no shell.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, bail};

/// Longest wait for the connection, and for the answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether the program whose ops port is set to this address says that it is ready.
pub fn ask(listen: SocketAddr) -> anyhow::Result<()> {
    let address = SocketAddr::new(reachable(listen.ip()), listen.port());
    let asked = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut status = String::new();
        BufReader::new(stream).read_line(&mut status)?;
        Ok(status)
    };
    let status = asked().with_context(|| format!("asking {address}"))?;
    match status.split(' ').nth(1) {
        Some("200") => Ok(()),
        _ => bail!("not ready: {}", status.trim_end()),
    }
}

/// An address of this machine at which something is heard that listens here.
fn reachable(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;
    use crate::ops::Ops;
    use crate::readiness::Readiness;
    use tokio_util::sync::CancellationToken;

    #[tokio::test(flavor = "multi_thread")]
    async fn the_answer_is_that_of_the_ops_port() {
        let ops = Ops::bind("TEST", "0.0.0.0:0".parse().unwrap()).await.unwrap();
        let address = ops.address();
        let readiness = Readiness::new(&["store"], CancellationToken::new());
        let probes = ops.serve(readiness.clone(), Metrics::detached());
        let waiting = tokio::task::spawn_blocking(move || ask(address)).await.unwrap().unwrap_err();
        assert!(waiting.to_string().contains("503"), "{waiting}");
        readiness.ready("store");
        tokio::task::spawn_blocking(move || ask(address)).await.unwrap().unwrap();
        drop(probes);
    }
}
