//! What is counted of keys, under the names that Prometheus sees.

use metrics::{counter, describe_counter, describe_gauge, gauge};

const KEYS: &str = "natter_token_keys";
const FAILURES: &str = "natter_token_key_failures_total";

/// Says what it means.
pub(crate) fn describe() {
    describe_gauge!(KEYS, "Keys whose tokens are good.");
    describe_counter!(FAILURES, "Looks at a file or URL with keys that brought none; the keys read before stay good.");
}

/// So many keys are good now.
pub(crate) fn keys(n: usize) {
    gauge!(KEYS).set(f64::from(u32::try_from(n).unwrap_or(u32::MAX)));
}

/// A source did not give its keys.
pub(crate) fn failed() {
    counter!(FAILURES).increment(1);
}
