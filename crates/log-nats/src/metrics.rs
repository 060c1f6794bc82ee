//! What is counted of the line to NATS and of the log there, under the names that Prometheus sees.

use std::time::Duration;

use async_nats::jetstream::stream;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use natter_model::timestamp::Timestamp;

use crate::link::State;

const LINES: &str = "natter_nats_lines_total";
const READY: &str = "natter_log_ready";
const WENT_BACKWARDS: &str = "natter_log_went_backwards";
const RECORDS: &str = "natter_log_records";
const BYTES: &str = "natter_log_bytes";
const REPLICAS: &str = "natter_log_replicas";
const REPLICAS_BEHIND: &str = "natter_log_replicas_behind";
const DELIVERY_SECONDS: &str = "natter_delivery_seconds";

/// Says what each of them means, and begins all of them at nought: whoever watches sees the first one too.
pub(crate) fn describe() {
    describe_counter!(LINES, "Lines to NATS that were made, the first one included.");
    counter!(LINES).absolute(0);
    describe_histogram!(
        DELIVERY_SECONDS,
        "Time from a record being in the log until whoever follows its conversation has it."
    );
    for (name, meaning) in [
        (READY, "1 while the log can be used, 0 while it cannot."),
        (WENT_BACKWARDS, "1 while the log ends before a position that it is known to have come to."),
        (RECORDS, "Records that the log holds."),
        (BYTES, "Bytes that the log takes on each server that keeps it."),
        (REPLICAS, "Servers that are to keep the log."),
        (REPLICAS_BEHIND, "Servers that are to keep the log and are away, or not level with its leader."),
    ] {
        describe_gauge!(name, meaning);
        gauge!(name).set(0);
    }
}

/// So many lines were made, and so far is the last one.
pub(crate) fn line(n_lines: u64, state: State) {
    counter!(LINES).absolute(n_lines);
    gauge!(READY).set(f64::from(u8::from(state == State::Ready)));
    gauge!(WENT_BACKWARDS).set(f64::from(u8::from(matches!(state, State::WentBackwards { .. }))));
}

/// What the stream's leader says of it.
pub(crate) fn stream(info: &stream::Info) {
    gauge!(RECORDS).set(info.state.messages as f64);
    gauge!(BYTES).set(info.state.bytes as f64);
    gauge!(REPLICAS).set(info.config.num_replicas as f64);
    let others = info.cluster.iter().flat_map(|cluster| &cluster.replicas);
    let n_level = others.filter(|replica| replica.current && !replica.offline).count();
    // The leader is level with itself.
    gauge!(REPLICAS_BEHIND).set(info.config.num_replicas.saturating_sub(1 + n_level) as f64);
}

/// Somebody who follows a conversation has heard what the log took at that moment, by the clock of its server.
pub(crate) fn delivered(taken_at: Option<Timestamp>) {
    let Some(taken_at) = taken_at else { return };
    let micros = Timestamp::now().as_micros().saturating_sub(taken_at.as_micros());
    // Clocks may differ by a little.
    histogram!(DELIVERY_SECONDS).record(Duration::from_micros(u64::try_from(micros).unwrap_or_default()));
}
