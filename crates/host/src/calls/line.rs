//! One address of a service: the connection to it, and whether it is worth asking.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::transport::Channel;
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower::{BoxError, ServiceExt as _};
use tracing::info;

use super::CALL_TIMEOUT;
use super::metrics::Counted;
use super::unsent::Unsent;
use crate::backoff::Backoff;
use crate::peer::told;

/// Pauses before it is asked again how it is.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// The pause after a call went wrong while it said that all is well: such calls may be many.
const BREATH: Duration = Duration::from_secs(1);

/// What is known of an address. The best ones come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Condition {
    /// It says that it can do its work.
    Ready,
    /// It has said nothing yet, or nothing since something went wrong.
    Unknown,
    /// It says that it cannot do its work.
    NotReady,
    /// It does not answer.
    Unreachable,
}

/// An address of a service. Its connection ends when this was dropped and the last call over it has ended.
#[derive(Debug)]
pub(super) struct Line {
    /// Connects when it is asked something, and again after its connection broke.
    channel: Channel,
    condition: watch::Sender<Condition>,
    doubted: Notify,
}

impl Line {
    /// Nothing is known of it yet.
    pub(super) fn new(channel: Channel) -> Self {
        Self { channel, condition: watch::Sender::new(Condition::Unknown), doubted: Notify::new() }
    }

    /// What is known of it now.
    pub(super) fn condition(&self) -> Condition {
        *self.condition.borrow()
    }

    /// Asks it.
    pub(super) async fn call(&self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        Ok(self.channel.clone().oneshot(request).await?)
    }

    /// A call went wrong: others are better until it says again that it can do its work.
    pub(super) fn doubt(&self) {
        if self.is_ready_no_more() {
            self.doubted.notify_one();
        }
    }

    /// Follows what it says of itself, for ever. Tells `lost` when it does not answer.
    pub(super) async fn follow(&self, service: &'static str, address: SocketAddr, lost: &Notify) {
        let mut backoff = Backoff::between(FIRST_PAUSE, LONGEST_PAUSE);
        let counting = count(service, self.condition.subscribe());
        let following = async {
            loop {
                match self.listen(service, &mut backoff).await {
                    // It may be ending, or only its connection has become old: the next question tells.
                    Ok(()) => {
                        self.is_ready_no_more();
                    }
                    Err(error) => {
                        if self.condition.send_replace(Condition::Unreachable) != Condition::Unreachable {
                            info!(peer = service, %address, error, "an address cannot be reached");
                            lost.notify_one();
                        }
                    }
                }
                backoff.wait().await;
            }
        };
        tokio::join!(counting, following);
    }

    /// Hears how it is until it falls silent or is doubted. An error: it said nothing at all.
    async fn listen(&self, service: &str, backoff: &mut Backoff) -> Result<(), String> {
        let question = HealthCheckRequest { service: service.to_owned() };
        let mut health = HealthClient::new(self.channel.clone());
        let beginning = async {
            let mut answers = health.watch(question).await?.into_inner();
            Ok::<_, Status>((answers.message().await?, answers))
        };
        let (mut answer, mut answers) = match time::timeout(CALL_TIMEOUT, beginning).await {
            Ok(Ok((Some(answer), answers))) => (answer, answers),
            Ok(Ok((None, _))) => return Err("it tells nothing of its health".to_owned()),
            Ok(Err(status)) if Unsent::of(&status) == Some(Unsent::NoTurn) => return Ok(()),
            Ok(Err(status)) => return Err(told(&status)),
            Err(_) => return Err("no answer".to_owned()),
        };
        backoff.reset();
        loop {
            let is_ready = answer.status == ServingStatus::Serving as i32;
            self.condition.send_replace(if is_ready { Condition::Ready } else { Condition::NotReady });
            tokio::select! {
                next = answers.message() => match next {
                    Ok(Some(next)) => answer = next,
                    Ok(None) | Err(_) => return Ok(()),
                },
                () = self.doubted.notified() => {
                    time::sleep(BREATH).await;
                    return Ok(());
                }
            }
        }
    }

    /// Whether it was ready until now.
    fn is_ready_no_more(&self) -> bool {
        self.condition.send_if_modified(|condition| {
            let was_ready = *condition == Condition::Ready;
            if was_ready {
                *condition = Condition::Unknown;
            }
            was_ready
        })
    }
}

/// Counts the address in its condition, for as long as this is polled and not dropped.
async fn count(service: &'static str, mut condition: watch::Receiver<Condition>) {
    loop {
        let _counted = Counted::new(service, *condition.borrow_and_update());
        if condition.changed().await.is_err() {
            return;
        }
    }
}
