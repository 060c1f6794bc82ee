//! What the edge counts, under the names that Prometheus sees. No label tells rooms or people apart.

pub(crate) mod frames;
mod limits;
pub(crate) mod missed;
pub(crate) mod outcome;

use std::time::Duration;

use metrics::{Gauge, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use natter_wire::close::CloseCode;

use self::outcome::{Connect, Outcome};
use crate::config::EdgeConfig;

const CONNECTIONS: &str = "natter_connections";
const CONNECTIONS_BEHIND: &str = "natter_connections_behind";
const CONNECTIONS_BLOCKED: &str = "natter_connections_blocked";
const BATCH_BYTES: &str = "natter_batch_bytes";
const ROOMS: &str = "natter_rooms";
const WINDOW_BYTES: &str = "natter_window_bytes";
const APPEND_SECONDS: &str = "natter_append_seconds";
const APPENDS: &str = "natter_appends_total";
const CONNECTS: &str = "natter_connects_total";
const AUTHZ_SECONDS: &str = "natter_authz_seconds";
const ADMISSIONS: &str = "natter_admissions_total";
const REFUSALS: &str = "natter_refusals_total";
const CLOSES: &str = "natter_closes_total";
const RIGHTS_FOLLOWED: &str = "natter_rights_followed";

const MEMORY: &str = "cache";
const AUTHZ: &str = "authz";

/// The code that RFC 6455 keeps for connections that end without one.
const UNTOLD: u16 = 1006;

const GAUGES: [(&str, &str); 7] = [
    (RIGHTS_FOLLOWED, "1 while authz tells this edge of rights that end, 0 while it cannot be heard."),
    (CONNECTIONS, "Sockets that are open, without those that are only told that there are too many."),
    (CONNECTIONS_BEHIND, "Sockets whose client stands behind the window of its room: resuming, or slow."),
    (CONNECTIONS_BLOCKED, "Sockets with a write under way: for long, if the client does not read."),
    (BATCH_BYTES, "Bytes of frames that connections hold to write them to their clients."),
    (ROOMS, "Conversations that this edge follows."),
    (WINDOW_BYTES, "Bytes of frames that are kept for all rooms."),
];

const COUNTERS: [(&str, &str); 5] = [
    (APPENDS, "Events that the log was asked to take, by what came of it."),
    (CONNECTS, "Sockets that clients asked for, by what came of it: opened, refused for good reason, or failed."),
    (ADMISSIONS, "Questions whether somebody may be in a conversation, by who answered them."),
    (REFUSALS, "What clients asked for and did not get, by the code or the reason that they were told."),
    (CLOSES, "Sockets that ended, by the code that the edge told; 1006 where there was nobody to tell."),
];

/// Refused because this edge has as many connections as it may.
pub(crate) const FULL: &str = "full";

/// Says what each of them means, and begins all of them at nought: whoever watches sees the first one too.
pub(crate) fn describe(config: &EdgeConfig) {
    for (name, meaning) in GAUGES {
        describe_gauge!(name, meaning);
        gauge!(name).set(0);
    }
    for (name, meaning) in COUNTERS {
        describe_counter!(name, meaning);
    }
    for outcome in Outcome::ALL {
        counter!(APPENDS, "outcome" => outcome.name()).absolute(0);
    }
    for outcome in Connect::ALL {
        counter!(CONNECTS, "outcome" => outcome.name()).absolute(0);
    }
    for source in [MEMORY, AUTHZ] {
        counter!(ADMISSIONS, "source" => source).absolute(0);
    }
    describe_histogram!(APPEND_SECONDS, "Time until the log had taken an event, or had not.");
    describe_histogram!(
        AUTHZ_SECONDS,
        "Time until authz had answered whether somebody may be in a conversation, or had not."
    );
    frames::describe();
    missed::describe();
    limits::describe(config);
}

/// One of those that are counted while they are there, until it is dropped.
#[derive(Debug)]
#[must_use = "dropping it ends the counting"]
pub(crate) struct Present(&'static str);

impl Present {
    fn among(name: &'static str) -> Self {
        gauge!(name).increment(1);
        Self(name)
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        gauge!(self.0).decrement(1);
    }
}

/// A socket is open.
pub(crate) fn connection() -> Present {
    Present::among(CONNECTIONS)
}

/// A client stands behind its room's window.
pub(crate) fn connection_behind() -> Present {
    Present::among(CONNECTIONS_BEHIND)
}

/// A connection writes to its client.
pub(crate) fn write_began() {
    gauge!(CONNECTIONS_BLOCKED).increment(1);
}

/// It has written, or given up.
pub(crate) fn write_ended() {
    gauge!(CONNECTIONS_BLOCKED).decrement(1);
}

/// Bytes that connections have to write.
pub(crate) fn batch_bytes() -> Gauge {
    gauge!(BATCH_BYTES)
}

/// Bytes that the rooms' windows hold.
pub(crate) fn window_bytes() -> Gauge {
    gauge!(WINDOW_BYTES)
}

/// A conversation is followed.
pub(crate) fn room() -> Present {
    Present::among(ROOMS)
}

/// Authz tells of rights that end.
pub(crate) fn rights_followed() -> Present {
    Present::among(RIGHTS_FOLLOWED)
}

/// The log was asked to take an event.
pub(crate) fn appended(outcome: Outcome, after: Duration) {
    counter!(APPENDS, "outcome" => outcome.name()).increment(1);
    histogram!(APPEND_SECONDS).record(after);
}

/// A client asked for a socket.
pub(crate) fn connect(outcome: Connect) {
    counter!(CONNECTS, "outcome" => outcome.name()).increment(1);
}

/// Somebody was let into a conversation, or not, from memory.
pub(crate) fn admitted_from_memory() {
    counter!(ADMISSIONS, "source" => MEMORY).increment(1);
}

/// Authz was asked whether somebody may be in a conversation.
pub(crate) fn admission_asked(after: Duration) {
    counter!(ADMISSIONS, "source" => AUTHZ).increment(1);
    histogram!(AUTHZ_SECONDS).record(after);
}

/// A client was refused what it asked for. `reason` is one of a few.
pub(crate) fn refused(reason: &'static str) {
    counter!(REFUSALS, "reason" => reason).increment(1);
}

/// A socket was closed, with this code if anybody was told.
pub(crate) fn closed(code: Option<CloseCode>) {
    // There are a dozen of them.
    let code = code.map_or(UNTOLD, CloseCode::number).to_string();
    counter!(CLOSES, "code" => code).increment(1);
}
