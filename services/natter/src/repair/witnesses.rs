//! What the store bears witness of: events, where they stood in the log, as far as rows tell.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use natter_model::event::{Actor, Body, Event, Origin};
use natter_model::id::{EventId, Position};
use natter_proto::record;
use natter_store::batch::Erasures;
use natter_store::error::StoreError;
use natter_store::evidence::{Evidence, Quarantined};
use natter_store::fold::{Posted, ReadMark, Row, State};

/// Positions that the store is asked about at a time.
const WINDOW: u64 = 5_000;

/// What stood at these positions. Folding it again changes no row: posts have their event's id, and all else stands where
/// the row says that it stood.
pub(super) async fn of(
    store: &dyn Evidence,
    positions: RangeInclusive<u64>,
) -> Result<BTreeMap<Position, Event>, StoreError> {
    let mut found = Witnesses { positions: positions.clone(), events: BTreeMap::new() };
    let mut start = *positions.start();
    while start <= *positions.end() {
        let window = start..=positions.end().min(&(start + WINDOW - 1)).to_owned();
        // A row is touched by each entry that counts, so whatever it tells stands no later than its last touch.
        for row in store.touched(window.clone()).await? {
            found.row(row);
        }
        for mark in store.marks(window.clone()).await? {
            found.mark(mark);
        }
        found.erasures(store.erasures(window.clone()).await?);
        found.quarantined(store.quarantined(window).await?);
        start += WINDOW;
    }
    Ok(found.events)
}

struct Witnesses {
    positions: RangeInclusive<u64>,
    events: BTreeMap<Position, Event>,
}

impl Witnesses {
    fn row(&mut self, row: Row) {
        match row.state {
            State::Posted(posted) => self.posted(*posted),
            State::Awaited(waiting) => {
                for (position, event) in waiting.iter() {
                    self.add(position, event.clone());
                }
            }
        }
    }

    /// The content is that of now: what it was before an edit, nobody knows any more. Nor who had heard of an edit, a delete
    /// or a read mark first: they are told again to whom they came from, which changes nothing there.
    fn posted(&mut self, posted: Posted) {
        let has_given_id = posted.has_given_id();
        let Posted { message, event, posted_seq, client_id, edited_seq, deleted_seq, deleted_at, .. } = posted;
        let at = |id, at, body| Event {
            id,
            conversation: message.conversation,
            actor: Actor { id: message.sender, username: message.sender_name.clone() },
            at,
            origin: Origin::Natter,
            body,
        };
        let content = message.content.unwrap_or_default();
        if let Some(edited_at) = message.edited_at {
            let body = Body::Edited { message: message.id, content: content.clone() };
            self.add(edited_seq, at(EventId::fresh(), edited_at, body));
        }
        if let Some(deleted_at) = deleted_at {
            self.add(deleted_seq, at(EventId::fresh(), deleted_at, Body::Deleted { message: message.id }));
        }
        if let Some(event) = event {
            let given = has_given_id.then_some(message.id);
            let body = Body::Posted { message: given, content, attachment: message.attachment.clone(), client_id };
            let origin = if has_given_id { Origin::Channels } else { Origin::Natter };
            self.add(posted_seq, Event { origin, ..at(event, message.timestamp, body) });
        }
    }

    fn mark(&mut self, mark: ReadMark) {
        let event = Event {
            id: EventId::fresh(),
            conversation: mark.conversation,
            actor: Actor { id: mark.account, username: mark.username },
            at: mark.read_at,
            origin: Origin::Natter,
            body: Body::Read { message: mark.message },
        };
        self.add(mark.touched_seq, event);
    }

    fn erasures(&mut self, erasures: Erasures) {
        for (conversation, erasure) in erasures {
            let (actor, at) = (erasure.actor, erasure.at);
            let event = Event {
                id: EventId::fresh(),
                conversation,
                actor,
                at,
                origin: Origin::Natter,
                body: Body::ConversationDeleted,
            };
            self.add(erasure.erased_seq, event);
        }
    }

    /// Records that no row could be made of. What is no event at all is left out.
    fn quarantined(&mut self, quarantined: Quarantined) {
        for (position, records) in quarantined {
            if let Some(event) = records.iter().find_map(|record| record::decode_event(record).ok())
                && !self.events.contains_key(&position)
            {
                self.add(position, event);
            }
        }
    }

    fn add(&mut self, position: Position, event: Event) {
        if self.positions.contains(&position.get()) {
            self.events.insert(position, event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use natter_model::event::Entry;
    use natter_model::id::{AccountId, ConversationId, MessageId};
    use natter_model::timestamp::Timestamp;
    use natter_store::messages::MessageStore as _;
    use natter_store::sqlite::SqliteStore;

    fn said(position: u64, id: Option<u64>) -> Entry {
        let (conversation, message) = (ConversationId::new(7).unwrap(), id.map(|id| MessageId::new(id).unwrap()));
        let event_id = message.map_or_else(EventId::fresh, |id| EventId::of_relayed_post(conversation, id));
        let event = Event {
            id: event_id,
            conversation,
            actor: Actor { id: AccountId::new(2).unwrap(), username: "ana".to_owned() },
            at: Timestamp::from_micros(1_000_000),
            origin: if id.is_some() { Origin::Channels } else { Origin::Natter },
            body: Body::Posted { message, content: "hello".to_owned(), attachment: None, client_id: None },
        };
        Entry { position: Position::new(position), previous: Position::START, event }
    }

    #[tokio::test]
    async fn what_was_relayed_is_put_back_where_it_stood_under_its_own_id() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("store")).await.unwrap();
        let log = [said(1001, None), said(1002, Some(5)), said(1003, Some(6)), said(1004, None)];
        store.apply(&log).await.unwrap();
        let found = of(&store, 1002..=1010).await.unwrap();
        let expected = log[1..].iter().map(|entry| (entry.position, entry.event.clone()));
        assert_eq!(found, expected.collect());
    }
}
