//! What the adapter counts, under the names that Prometheus sees.

use metrics::{counter, describe_counter, describe_gauge, gauge};

use crate::layer::Published;
use crate::layer::error::Unreadable;

const PUBLISHED: &str = "natter_channels_published_total";
const ALREADY: &str = "natter_channels_published_before_total";
const DROPPED: &str = "natter_channels_over_capacity_total";
const RECEIVED: &str = "natter_channels_received_total";
const RELAYED: &str = "natter_channels_relayed_total";
const DUPLICATES: &str = "natter_channels_duplicates_total";
const SKIPPED: &str = "natter_channels_skipped_total";
const LINES: &str = "natter_channels_lines_total";
const LAG: &str = "natter_channels_lag_records";
const GROUPS: &str = "natter_channels_groups";
const WAITING: &str = "natter_channels_waiting";

/// Why something is skipped, beside what cannot be read at all.
const REASONS: [&str; 9] = [
    "foreign_type",
    "foreign_group",
    "bad_key",
    "not_a_participant",
    "id_overlap",
    "signal_dropped",
    "inbox_full",
    "too_old",
    "record_too_large",
];

/// Says what each of them means, and begins all of them at nought: whoever watches sees the first one too.
pub(crate) fn describe() {
    for (name, meaning) in [
        (PUBLISHED, "Group messages that this adapter has written into Redis."),
        (ALREADY, "Group messages that another adapter had written."),
        (DROPPED, "Copies that a Django process did not get since its queue is full, as Channels itself drops them."),
        (RECEIVED, "Group messages that were heard from Django."),
        (RELAYED, "What was heard from Django and is in the log, or was signalled."),
        (DUPLICATES, "What was heard from Django and was in the log already: usually another adapter was faster."),
        (LINES, "Lines to Redis hosts that were made."),
    ] {
        describe_counter!(name, meaning);
        counter!(name).absolute(0);
    }
    describe_counter!(SKIPPED, "What was not passed on, in either direction, by reason.");
    for reason in REASONS.into_iter().chain(Unreadable::ALL.map(Unreadable::label)) {
        counter!(SKIPPED, "reason" => reason).absolute(0);
    }
    for (name, meaning) in [
        (LAG, "Records in the log that are not yet known to be in Redis."),
        (GROUPS, "Groups that this adapter is in."),
        (WAITING, "What was heard from Django and waits to be appended to the log."),
    ] {
        describe_gauge!(name, meaning);
        gauge!(name).set(0);
    }
}

/// Something was written into Redis, or not.
pub(crate) fn published(published: &Published) {
    counter!(PUBLISHED).increment(published.written as u64);
    counter!(ALREADY).increment(published.already as u64);
    counter!(DROPPED).increment(published.over_capacity as u64);
}

/// Something was heard.
pub(crate) fn received() {
    counter!(RECEIVED).increment(1);
}

/// It is in the log, or was signalled.
pub(crate) fn relayed() {
    counter!(RELAYED).increment(1);
}

/// It was in the log already.
pub(crate) fn duplicate() {
    counter!(DUPLICATES).increment(1);
}

/// So many were not passed on.
pub(crate) fn skipped(reason: &'static str, n_skipped: usize) {
    counter!(SKIPPED, "reason" => reason).increment(n_skipped as u64);
}

/// A line to Redis was made.
pub(crate) fn line() {
    counter!(LINES).increment(1);
}

/// So far is Redis behind the log.
pub(crate) fn lag(n_records: u64) {
    gauge!(LAG).set(n_records as f64);
}

/// So many groups are joined.
pub(crate) fn groups(n_groups: usize) {
    gauge!(GROUPS).set(n_groups as f64);
}

/// Something waits to be appended, until the guard is dropped.
pub(crate) fn waiting() -> Waiting {
    gauge!(WAITING).increment(1.0);
    Waiting(())
}

/// See [`waiting`].
#[derive(Debug)]
pub(crate) struct Waiting(());

impl Drop for Waiting {
    fn drop(&mut self) {
        gauge!(WAITING).decrement(1.0);
    }
}
