//! What persistence counts, under the names that Prometheus sees.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

const BATCHES: &str = "natter_fold_batches_total";
const RECORDS: &str = "natter_fold_records_total";
const QUARANTINED: &str = "natter_fold_quarantined_total";
const HANDED_BACK: &str = "natter_fold_handed_back_total";
const BATCH_SECONDS: &str = "natter_fold_batch_seconds";
const LAG: &str = "natter_fold_lag_records";
const LAG_SECONDS: &str = "natter_fold_lag_seconds";

/// Says what each of them means, and begins all of them at nought: whoever watches sees the first one too.
pub(crate) fn describe() {
    for (name, meaning) in [
        (BATCHES, "Batches of records that were stored and acknowledged."),
        (RECORDS, "Records that were stored and acknowledged."),
        (QUARANTINED, "Records that can never be applied, put aside with the reason."),
        (HANDED_BACK, "Records that could not be stored, and were handed back to the log to come again."),
    ] {
        describe_counter!(name, meaning);
        counter!(name).absolute(0);
    }
    describe_histogram!(BATCH_SECONDS, "Time from having a batch to having it stored and acknowledged.");
    describe_gauge!(LAG, "Records in the log that are not known to be stored yet.");
    gauge!(LAG).set(0);
    describe_gauge!(LAG_SECONDS, "Age of the oldest record in the log that is not known to be stored yet.");
    gauge!(LAG_SECONDS).set(0);
}

/// A batch of so many records is stored and acknowledged.
pub(crate) fn stored(n_records: usize, after: Duration) {
    counter!(BATCHES).increment(1);
    counter!(RECORDS).increment(n_records as u64);
    histogram!(BATCH_SECONDS).record(after);
}

/// So many records could not be stored.
pub(crate) fn handed_back(n_records: usize) {
    counter!(HANDED_BACK).increment(n_records as u64);
}

/// A record was put aside.
pub(crate) fn quarantined() {
    counter!(QUARANTINED).increment(1);
}

/// So many records of the log are not known to be stored, and so old is the oldest of them.
pub(crate) fn lag(n_records: u64, oldest: Duration) {
    gauge!(LAG).set(n_records as f64);
    gauge!(LAG_SECONDS).set(oldest.as_secs_f64());
}
