//! What authz counts, under the names that Prometheus sees.

use metrics::{counter, describe_counter};
use natter_proto::v1::log_in_reply::Outcome;

const LOG_INS: &str = "natter_log_ins_total";
const OUTCOMES: [Outcome; 4] = [Outcome::LoggedIn, Outcome::Refused, Outcome::NoSuchEmail, Outcome::AmbiguousEmail];

/// Says what it means, and begins all of it at nought: whoever watches sees the first one too.
pub(crate) fn describe() {
    describe_counter!(LOG_INS, "Attempts to log in, by how they ended.");
    for outcome in OUTCOMES {
        log_ins(outcome, 0);
    }
}

/// Somebody tried to log in.
pub(crate) fn log_in(outcome: Outcome) {
    log_ins(outcome, 1);
}

fn log_ins(outcome: Outcome, n: u64) {
    counter!(LOG_INS, "outcome" => outcome.as_str_name().to_ascii_lowercase()).increment(n);
}
