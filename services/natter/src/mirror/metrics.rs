//! What the mirror counts, under the names that Prometheus sees.

use metrics::{counter, describe_counter, describe_gauge, gauge};
use natter_model::id::Position;

const RECORDS: &str = "natter_mirror_records_total";
const ROWS: &str = "natter_mirror_rows_total";
const SKIPPED: &str = "natter_mirror_skipped_total";
const LAG: &str = "natter_mirror_lag_records";
const POSITION: &str = "natter_mirror_position";

/// Why records were left out.
const REASONS: [&str; 4] = ["conversation", "account", "id", "refused"];

/// Says what each of them means, and begins all of them at nought: whoever watches sees the first one too.
pub(super) fn describe() {
    for (name, meaning) in [
        (RECORDS, "Records of the log that were looked at and are behind the mirror."),
        (ROWS, "Rows of Django's that were written, changed or removed."),
    ] {
        describe_counter!(name, meaning);
        counter!(name).absolute(0);
    }
    describe_counter!(SKIPPED, "Records that Django's tables have no place for.");
    for reason in REASONS {
        counter!(SKIPPED, "reason" => reason).absolute(0);
    }
    describe_gauge!(LAG, "Records in the log that are not in Django's tables yet.");
    describe_gauge!(POSITION, "Everything up to here is in Django's tables.");
    gauge!(LAG).set(0);
}

/// So many records were folded, and so many rows are not as before.
pub(super) fn folded(n_records: usize, n_rows: u64) {
    counter!(RECORDS).increment(n_records as u64);
    counter!(ROWS).increment(n_rows);
}

/// A record was left out.
pub(super) fn skipped(reason: &'static str) {
    counter!(SKIPPED, "reason" => reason).increment(1);
}

/// So far is the mirror.
pub(super) fn at(position: Position) {
    gauge!(POSITION).set(position.get() as f64);
}

/// So far behind is it.
pub(super) fn behind(n_records: u64) {
    gauge!(LAG).set(n_records as f64);
}
