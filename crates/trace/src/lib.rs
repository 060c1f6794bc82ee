//! Traces: which spans there are, and how one goes on in another process.
//!
//! The only place that knows what they are called in OpenTelemetry. Everybody else makes a span of [`spans`], runs in it by
//! `tracing`, and hands a [`TraceContext`](context::TraceContext) on. Who exports spans switches them on; until then making one costs a look at
//! an atomic, and nothing is read or written.

pub mod context;
pub mod spans;

use std::sync::atomic::{AtomicBool, Ordering};

/// The target of every span in here, and of nothing else: by it an exporter tells them from what is only logged.
pub const TARGET: &str = "natter::trace";

static IS_ON: AtomicBool = AtomicBool::new(false);

/// From now on somebody exports spans. Contexts of others are read from here on.
pub fn switch_on() {
    IS_ON.store(true, Ordering::Relaxed);
}

/// Whether anybody exports spans.
pub fn is_on() -> bool {
    IS_ON.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests;
