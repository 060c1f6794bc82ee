//! One look at one program: what it counts, and what it waits for.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::{self, Instant};
use tokio_util::task::AbortOnDropHandle;

use crate::top::exposition::Exposition;

/// The longest that one look may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// The largest answer taken, in bytes. Real ones have some tens of thousands.
const MAX_BYTES: usize = 8 << 20;

/// What a program told.
#[derive(Debug, Clone)]
pub(crate) struct Scrape {
    /// When it was asked.
    pub at: Instant,
    /// What it counts.
    pub told: Exposition,
    /// What it waits for, and why; nothing: it is ready.
    pub waiting_for: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
struct Readyz {
    waiting_for: BTreeMap<String, String>,
}

/// Looks at the program whose ops port is there. Why that was not possible, in one line.
pub(crate) async fn scrape(address: SocketAddr) -> Result<Scrape, String> {
    let late = || format!("no answer within {} s", PATIENCE.as_secs());
    time::timeout(PATIENCE, look(address)).await.map_err(|_| late())?
}

async fn look(address: SocketAddr) -> Result<Scrape, String> {
    let at = Instant::now();
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let _driving = AbortOnDropHandle::new(tokio::spawn(connection));
    let (status, metrics) = get(&mut sender, address, "/metrics").await?;
    if status != StatusCode::OK {
        return Err(format!("HTTP {} to /metrics; is this an ops port?", status.as_u16()));
    }
    let told = Exposition::parse(&metrics)
        .map_err(|line| format!("/metrics is not Prometheus' text ({line:?}); is this an ops port?"))?;
    let (status, readyz) = get(&mut sender, address, "/readyz").await?;
    let waiting_for = match serde_json::from_str::<Readyz>(&readyz) {
        Ok(readyz) => readyz.waiting_for,
        Err(_) => BTreeMap::from([("readyz".to_owned(), format!("HTTP {} to /readyz", status.as_u16()))]),
    };
    Ok(Scrape { at, told, waiting_for })
}

async fn get(
    sender: &mut SendRequest<Empty<Bytes>>,
    address: SocketAddr,
    path: &str,
) -> Result<(StatusCode, String), String> {
    let request = Request::get(path).header(HOST, address.to_string()).body(Empty::new());
    let request = request.map_err(|error| error.to_string())?;
    sender.ready().await.map_err(|error| error.to_string())?;
    let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MAX_BYTES).collect().await.map_err(|error| error.to_string())?;
    Ok((status, String::from_utf8_lossy(&body.to_bytes()).into_owned()))
}
