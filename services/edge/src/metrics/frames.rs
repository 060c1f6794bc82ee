//! Frames in and out, by what they are.

use std::sync::LazyLock;

use metrics::{Counter, counter, describe_counter};
use natter_wire::kind::FrameKind;

const RECEIVED: &str = "natter_frames_received_total";
const SENT: &str = "natter_frames_sent_total";

/// A frame of a client that asks for nothing that is known.
pub(crate) const OTHER: &str = "other";
/// A ping or the like of the WebSocket protocol itself.
pub(crate) const PROTOCOL: &str = "protocol";
const FRAMES_IN: [&str; 9] = ["message", "read", "typing", "edit", "delete", "auth", "ping", PROTOCOL, OTHER];

const N_KINDS: usize = FrameKind::ALL.len();

/// Looked up once: each frame to each client is counted. Not before counting has begun.
static SENT_BY_KIND: LazyLock<[Counter; N_KINDS]> =
    LazyLock::new(|| FrameKind::ALL.map(|kind| counter!(SENT, "type" => kind.name())));

pub(super) fn describe() {
    describe_counter!(
        RECEIVED,
        "Frames that clients sent, by what they ask for; pings and the like of the WebSocket protocol included."
    );
    describe_counter!(
        SENT,
        "Frames that were handed to the sockets of clients, by their type; pings of the WebSocket protocol included."
    );
    for kind in FRAMES_IN {
        counter!(RECEIVED, "type" => kind).absolute(0);
    }
    counter!(SENT, "type" => PROTOCOL).absolute(0);
    SENT_BY_KIND.iter().for_each(|counter| counter.absolute(0));
}

/// A client sent a frame. `kind` is one of a few.
pub(crate) fn received(kind: &'static str) {
    counter!(RECEIVED, "type" => kind).increment(1);
}

/// A client was sent a ping.
pub(crate) fn ping_sent() {
    counter!(SENT, "type" => PROTOCOL).increment(1);
}

/// Adds up frames that are handed to a socket together, and counts them when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Sent([u32; N_KINDS]);

impl Sent {
    /// One more.
    pub(crate) fn add(&mut self, kind: FrameKind) {
        self.0[kind as usize] += 1;
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        for (n_frames, counter) in self.0.into_iter().zip(SENT_BY_KIND.iter()) {
            if n_frames > 0 {
                counter.increment(n_frames.into());
            }
        }
    }
}
