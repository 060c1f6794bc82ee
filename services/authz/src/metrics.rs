//! What authz counts, under the names that Prometheus sees.

use metrics::{counter, describe_counter};
use natter_proto::v1::log_in_reply::Outcome;

const LOG_INS: &str = "natter_log_ins_total";

/// Says what it means.
pub(crate) fn describe() {
    describe_counter!(LOG_INS, "Attempts to log in, by how they ended.");
}

/// Somebody tried to log in.
pub(crate) fn log_in(outcome: Outcome) {
    counter!(LOG_INS, "outcome" => outcome.as_str_name().to_ascii_lowercase()).increment(1);
}
