//! Applying entries so that one the database refuses does not hold up its neighbours.

use std::slice;
use std::time::Duration;

use natter_model::event::Entry;
use natter_store::error::StoreError;
use natter_store::messages::{MessageStore, Misfit};

/// Longest wait for a transaction. Below the time after which the log gives a batch to another replica.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Folds the entries into the store. Those that can never be applied come back, and are not in it.
pub(crate) async fn apply(store: &dyn MessageStore, entries: &[Entry]) -> Result<Vec<Misfit>, StoreError> {
    match apply_in_time(store, entries).await {
        Err(StoreError::Rejected(_)) => apply_one_by_one(store, entries).await,
        other => other,
    }
}

async fn apply_one_by_one(store: &dyn MessageStore, entries: &[Entry]) -> Result<Vec<Misfit>, StoreError> {
    let mut misfits = Vec::new();
    for entry in entries {
        match apply_in_time(store, slice::from_ref(entry)).await {
            Ok(more) => misfits.extend(more),
            Err(StoreError::Rejected(reason)) => misfits.push(Misfit { position: entry.position, reason }),
            Err(error) => return Err(error),
        }
    }
    Ok(misfits)
}

async fn apply_in_time(store: &dyn MessageStore, entries: &[Entry]) -> Result<Vec<Misfit>, StoreError> {
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    tokio::time::timeout(TIMEOUT, store.apply(entries))
        .await
        .unwrap_or_else(|_| Err(StoreError::Unavailable(format!("no answer within {TIMEOUT:?}"))))
}
