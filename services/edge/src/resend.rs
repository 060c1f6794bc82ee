//! Whether a message was posted before, under its sender's own name for it: at any later time.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use moka::future::Cache;
use moka::policy::EvictionPolicy;
use natter_log::port::{Log, LogError};
use natter_model::event::Body;
use natter_model::id::{AccountId, ConversationId, EventId, Position};
use tokio::sync::Mutex;
use tokio::time;

use crate::persistence::{Persistence, Posted};

/// Entries read from the log at a time.
const BATCH: usize = 500;
/// Ids that are known at once, of all conversations and of one: some 50 bytes each.
const MAX_IDS: u64 = 1_000_000;
const MAX_IDS_OF_ONE: usize = 200_000;
/// What a conversation takes that has none, counted in ids.
const EMPTY_WEIGHS: u32 = 8;
/// How long ids are kept that nobody asks for.
const KEPT_UNUSED: Duration = Duration::from_secs(300);
/// Longest wait until the ids of a conversation are known. The next one who asks goes on from there.
const PATIENCE: Duration = Duration::from_secs(8);

/// Knows what was posted long ago. The log itself knows what was posted just now, and yields the same place again.
///
/// While persistence is away it knows what the log still holds.
pub(crate) struct Resends {
    log: Arc<dyn Log>,
    persistence: Arc<Persistence>,
    /// Only of conversations where somebody posted while persistence was away.
    in_log: Cache<ConversationId, Arc<InLog>>,
}

/// The messages with a client id that the log holds of one conversation.
#[derive(Default)]
struct InLog {
    known: Mutex<Known>,
    n_ids: AtomicU32,
}

#[derive(Default)]
struct Known {
    posted: HashMap<EventId, Position>,
    /// Everything up to here has been read.
    read: Position,
}

impl Resends {
    /// Asks `persistence`, and while it is away `log`.
    pub(crate) fn new(log: Arc<dyn Log>, persistence: Arc<Persistence>) -> Self {
        let in_log = Cache::builder()
            .max_capacity(MAX_IDS)
            .weigher(|_, in_log: &Arc<InLog>| in_log.n_ids.load(Ordering::Relaxed).saturating_add(EMPTY_WEIGHS))
            .time_to_idle(KEPT_UNUSED)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self { log, persistence, in_log }
    }

    /// The message that the account posted under this id, if that was more than a minute ago; perhaps also a younger
    /// one. An error: nobody can say, and it must not be posted.
    pub(crate) async fn find(
        &self,
        conversation: ConversationId,
        account: AccountId,
        client_id: &str,
    ) -> Result<Option<Posted>, LogError> {
        if let Ok(posted) = self.persistence.posted(conversation, account, client_id).await {
            return Ok(posted);
        }
        let id = EventId::of_client_id(conversation, account, client_id);
        let in_log = self.in_log.get_with(conversation, async { Arc::default() }).await;
        let found = time::timeout(PATIENCE, async {
            let mut known = in_log.known.lock().await;
            let before = known.posted.len();
            let outcome = self.read_on(conversation, &mut known).await;
            if known.posted.len() > before {
                in_log.n_ids.store(u32::try_from(known.posted.len()).unwrap_or(u32::MAX), Ordering::Relaxed);
                // Weighs it again.
                self.in_log.insert(conversation, Arc::clone(&in_log)).await;
            }
            outcome.map(|()| known.posted.get(&id).copied())
        });
        let found = found.await.unwrap_or_else(|_| Err(LogError::Unavailable("reading takes too long".to_owned())))?;
        let Some(position) = found else { return Ok(None) };
        let entry = self.log.entry(position).await?;
        // The log may have let go of it just now. Then nobody knows it, until persistence is back.
        let gone = || LogError::Unavailable(format!("the log no longer holds {position}"));
        entry.map(|entry| Some(Posted { position, at: entry.event.at })).ok_or_else(gone)
    }

    /// Safe to drop while waiting.
    async fn read_on(&self, conversation: ConversationId, known: &mut Known) -> Result<(), LogError> {
        loop {
            let entries = self.log.read(conversation, known.read, BATCH).await?;
            for entry in &entries {
                if let Body::Posted { client_id: Some(_), .. } = entry.event.body {
                    known.posted.entry(entry.event.id).or_insert(entry.position);
                }
                known.read = entry.position;
            }
            if known.posted.len() > MAX_IDS_OF_ONE {
                return Err(LogError::Unavailable("the conversation is too large to look through".to_owned()));
            }
            if entries.len() < BATCH {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::actions::{ActionError, Done};
    use crate::testing::{HERE, Stage, actor};
    use std::sync::atomic::Ordering;

    async fn say(stage: &Stage, id: u64, name: &str, client_id: &str) -> Result<Done, ActionError> {
        let content = "hi".to_owned();
        stage.actions.post(&actor(id, name), HERE, content, None, Some(client_id.to_owned())).await
    }

    #[tokio::test]
    async fn a_post_is_found_after_the_log_has_forgotten_its_id() {
        let stage = Stage::with_window(8);
        let first = say(&stage, 2, "ana", "c-1").await.expect("the log takes it");
        stage.log.forget_ids();
        for is_away in [false, true, false] {
            stage.persistence.take_away(is_away);
            let again = say(&stage, 2, "ana", "c-1").await.expect("it is known");
            assert_eq!((again.position, again.at, again.duplicate), (first.position, first.at, true), "{is_away}");
        }
        let other = say(&stage, 3, "bob", "c-1").await.expect("the log takes it");
        assert!(!other.duplicate && other.position > first.position);
    }

    #[tokio::test]
    async fn while_persistence_is_away_only_what_is_new_is_read() {
        let stage = Stage::with_window(8);
        stage.persistence.take_away(true);
        for n in 0..1200 {
            stage.post(&actor(2, "ana"), &n.to_string()).await;
        }
        for n in 0..3 {
            let posted = say(&stage, 2, "ana", &format!("c-{n}")).await.expect("posting goes on");
            assert!(!posted.duplicate);
        }
        stage.log.forget_ids();
        assert!(say(&stage, 2, "ana", "c-0").await.expect("it is known").duplicate);
        assert_eq!(stage.log.n_read.load(Ordering::SeqCst), 3 + 3, "1200 entries once, then what is new");
    }

    #[tokio::test]
    async fn nothing_is_posted_while_nobody_can_say() {
        let stage = Stage::with_window(8);
        say(&stage, 2, "ana", "c-1").await.expect("the log takes it");
        stage.log.forget_ids();
        stage.persistence.take_away(true);
        stage.log.seal(true);
        let refused = say(&stage, 2, "ana", "c-1").await.expect_err("nobody knows whether it was posted");
        assert!(matches!(refused, ActionError::Unavailable(_)));
        assert!(say(&stage, 2, "ana", "c-2").await.is_err());
    }
}
