//! The fold against the embedded log and a store that does as it is told.

use std::collections::BTreeSet;
use std::num::NonZero;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use natter_log::embedded::Embedded;
use natter_log::port::{Backlog as _, Log as _};
use natter_model::event::{Actor, Body, Entry, Event, Origin};
use natter_model::id::{AccountId, ConversationId, EventId, MessageId, Position};
use natter_model::timestamp::Timestamp;
use natter_store::error::StoreError;
use natter_store::messages::{Message, MessageStore, Misfit, Page, PageQuery, Refused, Summary};
use natter_store::resend::ClientKey;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Fold;

/// What a store has been given, and what it refuses.
#[derive(Debug, Default)]
struct Told {
    stored: BTreeSet<Position>,
    quarantined: BTreeSet<Position>,
    /// Calls of `apply` that still fail as if the database were away.
    failures: usize,
    /// Makes the transaction it is in fail.
    poison: Option<Position>,
    /// Is reported as a misfit.
    misfit: Option<Position>,
    /// What it bears witness of.
    highest: Position,
}

struct Scripted {
    told: Mutex<Told>,
    changes: watch::Sender<(usize, usize)>,
}

impl Scripted {
    fn new(told: Told) -> Arc<Self> {
        Arc::new(Self { told: Mutex::new(told), changes: watch::Sender::new((0, 0)) })
    }

    fn change<T>(&self, change: impl FnOnce(&mut Told) -> T) -> T {
        let mut told = self.told.lock().unwrap();
        let outcome = change(&mut told);
        self.changes.send_replace((told.stored.len(), told.quarantined.len()));
        outcome
    }

    /// Waits until so many records are stored and so many in quarantine.
    async fn holds(&self, stored: usize, quarantined: usize) {
        self.changes.subscribe().wait_for(|now| *now == (stored, quarantined)).await.unwrap();
    }
}

#[async_trait]
impl MessageStore for Scripted {
    async fn apply(&self, entries: &[Entry]) -> Result<Vec<Misfit>, StoreError> {
        self.change(|told| {
            if told.failures > 0 {
                told.failures -= 1;
                return Err(StoreError::Unavailable("told so".to_owned()));
            }
            if entries.iter().any(|entry| Some(entry.position) == told.poison) {
                return Err(StoreError::Rejected("told so".to_owned()));
            }
            let (misfits, fit): (Vec<_>, Vec<_>) =
                entries.iter().map(|entry| entry.position).partition(|position| Some(*position) == told.misfit);
            told.stored.extend(fit);
            Ok(misfits.into_iter().map(|position| Misfit { position, reason: "told so".to_owned() }).collect())
        })
    }

    async fn quarantine(&self, position: Position, record: &[u8], _reason: &str) -> Result<(), StoreError> {
        assert!(!record.is_empty(), "the record is kept");
        self.change(|told| told.quarantined.insert(position));
        Ok(())
    }

    async fn ready(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn message(&self, _id: MessageId) -> Result<Option<Message>, StoreError> {
        unreachable!("the fold does not read")
    }

    async fn page(&self, _query: &PageQuery) -> Result<Page, StoreError> {
        unreachable!("the fold does not read")
    }

    async fn summaries(
        &self,
        _account: AccountId,
        _conversations: &[ConversationId],
        _latest: usize,
    ) -> Result<Vec<Summary>, StoreError> {
        unreachable!("the fold does not read")
    }

    async fn changes(
        &self,
        _conversation: ConversationId,
        _since: Position,
        _upto: Position,
        _limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        unreachable!("the fold does not read")
    }

    async fn sent_as(&self, _key: &ClientKey) -> Result<Option<Message>, StoreError> {
        unreachable!("the fold does not read")
    }

    async fn import(&self, _messages: &[Message]) -> Result<Vec<Refused>, StoreError> {
        unreachable!("the fold does not import")
    }

    async fn highest_given(&self) -> Result<Option<MessageId>, StoreError> {
        unreachable!("the fold does not ask")
    }

    async fn highest(&self) -> Result<Position, StoreError> {
        Ok(self.change(|told| told.highest))
    }
}

/// A log with so many records.
async fn log_of(records: u64, folder: &tempfile::TempDir) -> Arc<Embedded> {
    let log = Embedded::open(&folder.path().join("log"), Position::START).unwrap();
    for n in 1..=records {
        let body = Body::Posted { message: None, content: format!("message {n}"), attachment: None, client_id: None };
        let event = Event {
            id: EventId::fresh(),
            conversation: ConversationId::new(7).unwrap(),
            actor: Actor { id: AccountId::new(2).unwrap(), username: "ana".to_owned() },
            at: Timestamp::from_micros(1),
            origin: Origin::Natter,
            body,
        };
        log.append(&event).await.unwrap();
    }
    Arc::new(log)
}

/// Folds until the store holds what is expected, then drains.
async fn fold(log: &Arc<Embedded>, store: &Arc<Scripted>, stored: usize, quarantined: usize) {
    let drain = CancellationToken::new();
    let fold = Fold::new(log.clone(), log.clone(), store.clone(), NonZero::new(4).unwrap());
    let driving = async {
        store.holds(stored, quarantined).await;
        drain.cancel();
    };
    tokio::join!(fold.run(drain.clone()), driving);
}

#[tokio::test]
async fn everything_is_stored_and_then_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let log = log_of(10, &folder).await;
    fold(&log, &Scripted::new(Told::default()), 10, 0).await;
    assert_eq!(log.floor().await.unwrap(), Position::new(10), "the batch in hand was acknowledged before the end");
}

#[tokio::test]
async fn a_store_that_was_away_misses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let log = log_of(10, &folder).await;
    fold(&log, &Scripted::new(Told { failures: 3, ..Told::default() }), 10, 0).await;
    assert_eq!(log.floor().await.unwrap(), Position::new(10));
}

#[tokio::test]
async fn a_record_that_does_not_fit_goes_to_quarantine_and_its_neighbours_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let log = log_of(10, &folder).await;
    let store =
        Scripted::new(Told { misfit: Some(Position::new(3)), poison: Some(Position::new(6)), ..Told::default() });
    fold(&log, &store, 8, 2).await;
    let quarantined = store.change(|told| told.quarantined.clone());
    assert_eq!(quarantined, BTreeSet::from([Position::new(3), Position::new(6)]));
    assert_eq!(log.floor().await.unwrap(), Position::new(10), "quarantined records do not come again");
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_behind_the_store_is_not_folded() {
    let folder = tempfile::tempdir().unwrap();
    let log = log_of(3, &folder).await;
    let store = Scripted::new(Told { highest: Position::new(4), ..Told::default() });
    let drain = CancellationToken::new();
    let fold = Fold::new(log.clone(), log.clone(), store.clone(), NonZero::new(4).unwrap());
    let driving = async {
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        assert_eq!(store.change(|told| told.stored.len()), 0);
        assert_eq!(log.floor().await.unwrap(), Position::START);
        drain.cancel();
    };
    tokio::join!(fold.run(drain.clone()), driving);
}
