//! What the edge counts, under the names that Prometheus sees. No label tells rooms or people apart.

use std::time::Duration;

use metrics::{Gauge, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use natter_wire::close::CloseCode;

use crate::config::EdgeConfig;

const CONNECTIONS: &str = "natter_connections";
const CONNECTIONS_LIMIT: &str = "natter_connections_limit";
const CONNECTIONS_BEHIND: &str = "natter_connections_behind";
const CONNECTIONS_BLOCKED: &str = "natter_connections_blocked";
const BATCH_BYTES: &str = "natter_batch_bytes";
const BATCH_BYTES_LIMIT: &str = "natter_batch_bytes_limit";
const CONNECTION_BATCH_BYTES_LIMIT: &str = "natter_connection_batch_bytes_limit";
const CONNECTION_UNSENT_BYTES_LIMIT: &str = "natter_connection_unsent_bytes_limit";
const SLOW_SECONDS_LIMIT: &str = "natter_connection_slow_seconds_limit";
const ROOMS: &str = "natter_rooms";
const WINDOW_BYTES: &str = "natter_window_bytes";
const WINDOW_BYTES_LIMIT: &str = "natter_window_bytes_limit";
const WINDOW_FRAMES_LIMIT: &str = "natter_window_frames_limit";
const FRAMES_RECEIVED: &str = "natter_frames_received_total";
const FRAMES_SENT: &str = "natter_frames_sent_total";
const APPEND_SECONDS: &str = "natter_append_seconds";
const APPENDS: &str = "natter_appends_total";
const CONNECTS: &str = "natter_connects_total";
const AUTHZ_SECONDS: &str = "natter_authz_seconds";
const ADMISSIONS: &str = "natter_admissions_total";
const GAPS_FOUND: &str = "natter_gaps_found_total";
const GAPS_FILLED: &str = "natter_gaps_filled_total";
const GAP_EVENTS: &str = "natter_gap_events_total";
const CATCH_UPS: &str = "natter_catch_ups_total";
const CATCH_UP_EVENTS: &str = "natter_catch_up_events_total";
const REFUSALS: &str = "natter_refusals_total";
const CLOSES: &str = "natter_closes_total";
const RIGHTS_FOLLOWED: &str = "natter_rights_followed";

/// A frame of a client that asks for nothing that is known.
pub(crate) const OTHER: &str = "other";
/// A ping or the like, in or out.
pub(crate) const PROTOCOL: &str = "protocol";
/// A frame that answers its client alone.
pub(crate) const REPLY: &str = "reply";
/// A frame of something that happened in the room.
pub(crate) const EVENT: &str = "event";
const FRAMES_IN: [&str; 9] = ["message", "read", "typing", "edit", "delete", "auth", "ping", PROTOCOL, OTHER];
const FRAMES_OUT: [&str; 3] = [EVENT, REPLY, PROTOCOL];

const MEMORY: &str = "cache";
const AUTHZ: &str = "authz";

/// The code that RFC 6455 keeps for connections that end without one.
const UNTOLD: u16 = 1006;

const GAUGES: [(&str, &str); 14] = [
    (RIGHTS_FOLLOWED, "1 while authz tells this edge of rights that end, 0 while it cannot be heard."),
    (CONNECTIONS, "Sockets that are open, without those that are only told that there are too many."),
    (CONNECTIONS_LIMIT, "Sockets that may be open at once."),
    (CONNECTIONS_BEHIND, "Sockets whose client stands behind the window of its room: resuming, or slow."),
    (CONNECTIONS_BLOCKED, "Sockets with a write under way: for long, if the client does not read."),
    (BATCH_BYTES, "Bytes of frames that connections hold to write them to their clients."),
    (BATCH_BYTES_LIMIT, "Bytes from which on connections hold one frame at a time."),
    (CONNECTION_BATCH_BYTES_LIMIT, "Bytes of frames that one connection holds to write them, at most."),
    (CONNECTION_UNSENT_BYTES_LIMIT, "Bytes that the system keeps for one client that does not read."),
    (SLOW_SECONDS_LIMIT, "Seconds that a client may leave what it was sent unread."),
    (ROOMS, "Conversations that this edge follows."),
    (WINDOW_BYTES, "Bytes of frames that are kept for all rooms."),
    (WINDOW_BYTES_LIMIT, "Bytes of frames kept for all rooms, beyond which each keeps few."),
    (WINDOW_FRAMES_LIMIT, "Frames that a room keeps in memory, at most."),
];

const COUNTERS: [(&str, &str); 3] = [
    (GAPS_FOUND, "Gaps found between what a room had heard and what came next."),
    (GAPS_FILLED, "Gaps that were filled from the log before anybody saw the later event."),
    (GAP_EVENTS, "Events that filled gaps."),
];

const LABELLED_COUNTERS: [(&str, &str); 9] = [
    (
        FRAMES_RECEIVED,
        "Frames that clients sent, by what they ask for; pings and the like of the WebSocket protocol included.",
    ),
    (FRAMES_SENT, "Frames that were handed to the sockets of clients, by what made them."),
    (APPENDS, "Events that the log was asked to take, by what came of it."),
    (CONNECTS, "Sockets that clients asked for, by what came of it: opened, refused for good reason, or failed."),
    (ADMISSIONS, "Questions whether somebody may be in a conversation, by who answered them."),
    (CATCH_UPS, "Batches of missed events handed to clients that stood behind, by where they came from."),
    (CATCH_UP_EVENTS, "Missed events handed to clients that stood behind, by where they came from."),
    (REFUSALS, "What clients asked for and did not get, by the code or the reason that they were told."),
    (CLOSES, "Sockets that ended, by the code that the edge told; 1006 where there was nobody to tell."),
];

/// Refused because this edge has as many connections as it may.
pub(crate) const FULL: &str = "full";

/// What came of an event that the log was asked to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It stands in the log.
    Taken,
    /// It can never stand there.
    Refused,
    /// The log could not take it now.
    Failed,
}

impl Outcome {
    const ALL: [Self; 3] = [Self::Taken, Self::Refused, Self::Failed];

    const fn name(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// What came of a socket that a client asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connect {
    /// It is open.
    Opened,
    /// Its client has no right to it.
    Refused,
    /// It could not be opened now.
    Failed,
}

impl Connect {
    const ALL: [Self; 3] = [Self::Opened, Self::Refused, Self::Failed];

    const fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// Where a client got what it had missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The room's memory.
    Window,
    /// The log.
    Log,
    /// Persistence.
    Store,
}

impl Source {
    const ALL: [Self; 3] = [Self::Window, Self::Log, Self::Store];

    const fn name(self) -> &'static str {
        match self {
            Self::Window => "window",
            Self::Log => "log",
            Self::Store => "store",
        }
    }
}

/// Says what each of them means, and begins all of them at nought: whoever watches sees the first one too.
pub(crate) fn describe(config: &EdgeConfig) {
    for (name, meaning) in GAUGES {
        describe_gauge!(name, meaning);
        gauge!(name).set(0);
    }
    for (name, meaning) in COUNTERS {
        describe_counter!(name, meaning);
        counter!(name).absolute(0);
    }
    for (name, meaning) in LABELLED_COUNTERS {
        describe_counter!(name, meaning);
    }
    for source in Source::ALL {
        catch_up(source, 0, 0);
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
    for kind in FRAMES_IN {
        frames_received(kind, 0);
    }
    for kind in FRAMES_OUT {
        frames_sent(kind, 0);
    }
    describe_histogram!(APPEND_SECONDS, "Time until the log had taken an event, or had not.");
    describe_histogram!(
        AUTHZ_SECONDS,
        "Time until authz had answered whether somebody may be in a conversation, or had not."
    );
    gauge!(CONNECTIONS_LIMIT).set(config.max_connections as f64);
    gauge!(BATCH_BYTES_LIMIT).set(config.batches_bytes as f64);
    gauge!(CONNECTION_BATCH_BYTES_LIMIT).set(config.batch_bytes as f64);
    gauge!(CONNECTION_UNSENT_BYTES_LIMIT).set(f64::from(config.unsent_bytes));
    gauge!(SLOW_SECONDS_LIMIT).set(config.slow_seconds as f64);
    gauge!(WINDOW_BYTES_LIMIT).set(config.windows_bytes as f64);
    gauge!(WINDOW_FRAMES_LIMIT).set(config.window_frames as f64);
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

/// A client sent a frame. `kind` is one of a few.
pub(crate) fn frame_received(kind: &'static str) {
    frames_received(kind, 1);
}

fn frames_received(kind: &'static str, n_frames: u64) {
    counter!(FRAMES_RECEIVED, "type" => kind).increment(n_frames);
}

/// So many frames were handed to a socket. `kind` is one of a few.
pub(crate) fn frames_sent(kind: &'static str, n_frames: usize) {
    counter!(FRAMES_SENT, "type" => kind).increment(n_frames as u64);
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

/// A room noticed that events are missing.
pub(crate) fn gap_found() {
    counter!(GAPS_FOUND).increment(1);
}

/// A room has got what was missing: so many events.
pub(crate) fn gap_filled(n_events: usize) {
    counter!(GAPS_FILLED).increment(1);
    counter!(GAP_EVENTS).increment(n_events as u64);
}

/// So many batches, with so many events in all, for a client that stood behind.
pub(crate) fn catch_up(source: Source, n_batches: usize, n_events: usize) {
    counter!(CATCH_UPS, "source" => source.name()).increment(n_batches as u64);
    counter!(CATCH_UP_EVENTS, "source" => source.name()).increment(n_events as u64);
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
