//! Keeps a service's addresses as its name has them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;
use tonic::transport::{Channel, Endpoint, Uri};
use tracing::{info, warn};

use super::CALL_TIMEOUT;
use super::line::Line;
use super::lines::Known;
use crate::backoff::Backoff;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Time between two signs of life on an idle connection; one without an answer is given up after the time-out.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(10);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for the addresses. A call that needs them first waits no longer.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(4);
/// Pauses between two looks: the shortest when addresses do not answer, and the first when there are none at all.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Looks the addresses up.
pub(crate) type Resolve = Arc<dyn Fn() -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// A service whose addresses are kept.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// Its name in gRPC.
    pub service: &'static str,
    /// Where it is, by its name.
    pub origin: Uri,
    /// Time between two looks at what the name stands for.
    pub period: Duration,
}

impl Target {
    fn channel(&self, address: SocketAddr) -> Result<Channel, tonic::transport::Error> {
        let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
        let endpoint = endpoint
            .origin(self.origin.clone())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(CALL_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEP_ALIVE_EVERY)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .keep_alive_while_idle(true);
        Ok(endpoint.connect_lazy())
    }
}

/// An address, and the task that follows what it says of itself.
type Follower = (Arc<Line>, AbortOnDropHandle<()>);
type Followed = BTreeMap<SocketAddr, Follower>;

/// Looks the addresses up for ever: at once, then again and again, and sooner when one does not answer.
pub(super) async fn keep(target: Target, resolve: Resolve, known: watch::Sender<Known>) {
    let period = target.period;
    let lost = Arc::new(Notify::new());
    let mut followed = Followed::new();
    let mut backoff = Backoff::between(FIRST_PAUSE.min(period), period);
    let mut is_failing = false;
    loop {
        let found = timeout(RESOLVE_TIMEOUT, resolve()).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        match found {
            Ok(addresses) if !addresses.is_empty() => {
                is_failing = false;
                backoff.reset();
                if update(&mut followed, &addresses, &target, &lost) {
                    known.send_replace(Known::Lines(followed.values().map(|(line, _)| Arc::clone(line)).collect()));
                }
            }
            failed => {
                let why = failed.err().map_or_else(|| "it has no addresses".to_owned(), |error| error.to_string());
                if !std::mem::replace(&mut is_failing, true) {
                    warn!(peer = target.service, error = why, "its addresses cannot be looked up");
                }
                // Those that were known may still be good: the name service can be away too.
                if followed.is_empty() {
                    known.send_replace(Known::Failed(why.into()));
                    backoff.wait().await;
                    continue;
                }
            }
        }
        sleep(SHORTEST_PAUSE.min(period)).await;
        tokio::select! {
            () = sleep(period.saturating_sub(SHORTEST_PAUSE)) => {}
            () = lost.notified() => {}
        }
    }
}

/// Has anything changed? Those that are gone are let go: calls under way over them go on.
fn update(followed: &mut Followed, addresses: &[SocketAddr], target: &Target, lost: &Arc<Notify>) -> bool {
    let n_before = followed.len();
    followed.retain(|address, _| addresses.contains(address));
    let n_gone = n_before - followed.len();
    let n_kept = followed.len();
    for &address in addresses {
        let Entry::Vacant(place) = followed.entry(address) else { continue };
        match target.channel(address) {
            Ok(channel) => {
                place.insert(begin(address, target.service, channel, Arc::clone(lost)));
            }
            Err(error) => warn!(peer = target.service, %address, %error, "the address cannot be used"),
        }
    }
    let n_new = followed.len() - n_kept;
    if n_gone + n_new > 0 {
        info!(peer = target.service, n_addresses = followed.len(), n_new, n_gone, "the addresses have changed");
    }
    n_gone + n_new > 0
}

fn begin(address: SocketAddr, service: &'static str, channel: Channel, lost: Arc<Notify>) -> Follower {
    let line = Arc::new(Line::new(channel));
    let followed = Arc::clone(&line);
    let following = tokio::spawn(async move { followed.follow(service, address, &lost).await });
    (line, AbortOnDropHandle::new(following))
}
