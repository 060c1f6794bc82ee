//! Tells the log of participants who were removed, so that they get nothing that is said afterwards.

use std::sync::Arc;
use std::time::Duration;

use natter_log::port::{Log, LogError};
use natter_model::event::{Actor, Body, Event, Origin};
use natter_model::id::EventId;
use natter_model::timestamp::Timestamp;
use natter_store::error::StoreError;
use natter_store::rights::{RightsStore, Unannounced};
use tokio::sync::Notify;
use tokio::time;
use tracing::{debug, info, warn};

use crate::feed::{in_time, patience};

/// Removals that are read at once.
const PAGE: u32 = 100;
/// Time between two looks for removals that another replica has left behind.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Time between two looks for what has expired.
const FORGET_EVERY: Duration = Duration::from_secs(3600);

#[derive(Debug, thiserror::Error)]
enum Unfinished {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Announces what was not announced yet, and again whenever `removed` says so. Several replicas may announce the same
/// removal: it is the same event.
pub(crate) async fn announce(store: &dyn RightsStore, log: &dyn Log, removed: Arc<Notify>) {
    let mut backoff = patience();
    loop {
        match announce_all(store, log).await {
            Ok(()) => {
                backoff.reset();
                let _ = time::timeout(LOOK_EVERY, removed.notified()).await;
            }
            Err(error) => {
                if backoff.is_fresh() {
                    warn!(%error, "removed participants wait to be announced");
                }
                backoff.wait().await;
            }
        }
    }
}

async fn announce_all(store: &dyn RightsStore, log: &dyn Log) -> Result<(), Unfinished> {
    loop {
        let page = in_time(store.unannounced(PAGE)).await?;
        for removal in &page {
            let appended = log.append(&event(removal)).await?;
            in_time(store.mark_announced(removal.change_id)).await?;
            let (conversation, account) = (removal.conversation, removal.participant.id);
            info!(%conversation, %account, position = %appended.position, "announced that a participant was removed");
        }
        if page.len() < PAGE as usize {
            return Ok(());
        }
    }
}

fn event(removal: &Unannounced) -> Event {
    let Unannounced { change_id, conversation, ref participant, removed_at } = *removal;
    Event {
        id: EventId::of_removal(conversation, participant.id, change_id),
        conversation,
        actor: Actor { id: participant.id, username: participant.username.clone() },
        at: removed_at,
        origin: Origin::Natter,
        body: Body::ParticipantRemoved,
    }
}

/// Lets go of tokens and changes that have expired, now and then.
pub(crate) async fn forget_the_expired(store: &dyn RightsStore) {
    let mut ticks = time::interval(FORGET_EVERY);
    ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match in_time(store.forget_expired(Timestamp::now())).await {
            Ok(n_forgotten) => debug!(n_forgotten, "expired tokens are forgotten"),
            Err(error) => debug!(%error, "expired tokens stay for now"),
        }
    }
}
