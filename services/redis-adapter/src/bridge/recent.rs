//! What of Django's was seen in the log a moment ago.

use std::time::Duration;

use moka::future::Cache;
use natter_model::id::EventId;

/// As long as adapters may hear of the same thing one after the other: the log itself remembers ids for two minutes.
const REMEMBER: Duration = Duration::from_secs(120);
/// Ids remembered at once. Some 100 bytes each.
const REMEMBERED: u64 = 100_000;

/// Ids of events. Cheap to clone; all clones remember together.
#[derive(Clone)]
pub(crate) struct Recent(Cache<EventId, ()>);

impl Recent {
    pub(crate) fn new() -> Self {
        Self(Cache::builder().max_capacity(REMEMBERED).time_to_live(REMEMBER).build())
    }

    /// It stands in the log.
    pub(crate) async fn note(&self, id: EventId) {
        self.0.insert(id, ()).await;
    }

    /// Does it stand in the log? `false` also if that is not known.
    pub(crate) fn has(&self, id: EventId) -> bool {
        self.0.contains_key(&id)
    }
}
