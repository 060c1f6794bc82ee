//! What is counted of calls to other services, under the names that Prometheus sees.

use metrics::{counter, describe_counter, describe_gauge, gauge};

use super::line::Condition;

const ADDRESSES: &str = "natter_peer_addresses";
const MOVED: &str = "natter_peer_calls_moved_total";

/// Says what it means, and begins at nought for this service.
pub(super) fn describe(service: &'static str) {
    describe_gauge!(ADDRESSES, "Addresses of a service that this program asks, by what they say of themselves.");
    for condition in [Condition::Ready, Condition::Unknown, Condition::NotReady, Condition::Unreachable] {
        gauge!(ADDRESSES, "peer" => service, "condition" => name(condition)).set(0.0);
    }
    describe_counter!(MOVED, "Calls that could not be sent to an address of a service and went to another one.");
    counter!(MOVED, "peer" => service).absolute(0);
}

/// A call goes on to another address.
pub(super) fn moved(service: &'static str) {
    counter!(MOVED, "peer" => service).increment(1);
}

/// An address that is counted in its condition until this is dropped.
pub(super) struct Counted {
    service: &'static str,
    condition: Condition,
}

impl Counted {
    pub(super) fn new(service: &'static str, condition: Condition) -> Self {
        gauge!(ADDRESSES, "peer" => service, "condition" => name(condition)).increment(1.0);
        Self { service, condition }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        gauge!(ADDRESSES, "peer" => self.service, "condition" => name(self.condition)).decrement(1.0);
    }
}

fn name(condition: Condition) -> &'static str {
    match condition {
        Condition::Ready => "ready",
        Condition::Unknown => "unknown",
        Condition::NotReady => "not_ready",
        Condition::Unreachable => "unreachable",
    }
}
