//! What clients and rooms had missed, and where they got it.

use metrics::{counter, describe_counter};

const GAPS_FOUND: &str = "natter_gaps_found_total";
const GAPS_FILLED: &str = "natter_gaps_filled_total";
const GAP_EVENTS: &str = "natter_gap_events_total";
const CATCH_UPS: &str = "natter_catch_ups_total";
const CATCH_UP_EVENTS: &str = "natter_catch_up_events_total";

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

pub(super) fn describe() {
    for (name, meaning) in [
        (GAPS_FOUND, "Gaps found between what a room had heard and what came next."),
        (GAPS_FILLED, "Gaps that were filled from the log before anybody saw the later event."),
        (GAP_EVENTS, "Events that filled gaps."),
    ] {
        describe_counter!(name, meaning);
        counter!(name).absolute(0);
    }
    describe_counter!(
        CATCH_UPS,
        "Batches of missed events handed to clients that stood behind, by where they came from."
    );
    describe_counter!(CATCH_UP_EVENTS, "Missed events handed to clients that stood behind, by where they came from.");
    for source in Source::ALL {
        catch_up(source, 0, 0);
    }
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
