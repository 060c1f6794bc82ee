//! Any order, any repetition, any split into batches gives what the log in order adds up to.

use proptest::prelude::*;

use super::*;
use crate::contract::chatter::{ana, deliveries, edited, entry, log, posted, read};
use crate::contract::reference::Reference;
use crate::fold::Posted;

/// A store that forgets everything at the end of the test.
#[derive(Default)]
struct Memory {
    rows: BTreeMap<MessageId, Row>,
    marks: BTreeMap<(ConversationId, AccountId), ReadMark>,
    erasures: Erasures,
}

impl Memory {
    fn of(batches: &[Vec<Entry>]) -> Self {
        let mut memory = Self::default();
        for batch in batches {
            assert_eq!(memory.apply(batch), []);
        }
        memory
    }

    fn apply(&mut self, entries: &[Entry]) -> Vec<Misfit> {
        let batch = Batch::of_entries(entries);
        let ids = batch.ids();
        let below = batch.erased_below().unwrap_or_default();
        let erased: BTreeSet<_> = batch.erased().collect();
        let resent = self.posted().into_values();
        let resent = resent.filter(|row| row.is_resend && erased.contains(&row.message.conversation));
        let keys: BTreeSet<_> = resent.filter_map(ClientKey::of_row).chain(batch.client_keys()).collect();
        let is_wanted = |row: &&Row| match &row.state {
            _ if ids.contains(&row.id) => true,
            State::Awaited(_) => Position::from(row.id) < below,
            State::Posted(posted) => ClientKey::of_row(posted).is_some_and(|key| keys.contains(&key)),
        };
        let rows = self.rows.values().filter(is_wanted).cloned().collect();
        let changes = batch.fold(rows, &self.erasures);
        for row in changes.inserts {
            assert!(self.rows.insert(row.id, row).is_none(), "an insert finds no row");
        }
        for row in changes.updates {
            assert!(self.rows.insert(row.id, row).is_some(), "an update finds its row");
        }
        for id in changes.removals {
            assert!(self.rows.remove(&id).is_some(), "a removal finds its row");
        }
        for mark in changes.marks {
            let best = self.marks.entry((mark.conversation, mark.account)).or_insert_with(|| mark.clone());
            *best = best.clone().max(mark);
        }
        for (conversation, erasure) in changes.erasures {
            let erased = erasure.erased_seq;
            self.erasures.insert(conversation, erasure);
            self.rows.retain(|id, row| match &row.state {
                State::Posted(posted) => posted.message.conversation != conversation || Position::from(*id) >= erased,
                State::Awaited(_) => true,
            });
            self.marks.retain(|(of, _), mark| *of != conversation || Position::from(mark.message) >= erased);
        }
        changes.misfits
    }

    fn posted(&self) -> BTreeMap<MessageId, &Posted> {
        let posted = self.rows.values().filter_map(|row| match &row.state {
            State::Posted(posted) => Some((row.id, &**posted)),
            State::Awaited(_) => None,
        });
        posted.collect()
    }

    fn seen(&self) -> Seen {
        let (resends, messages): (Vec<_>, Vec<_>) = self.posted().into_iter().partition(|(_, posted)| posted.is_resend);
        let of = |rows: Vec<(MessageId, &Posted)>| {
            rows.into_iter().map(|(id, posted)| (id, posted.message.clone())).collect()
        };
        let marks = self.marks.iter().map(|(whose, mark)| (*whose, mark.message)).collect();
        (of(messages), of(resends), marks)
    }
}

/// Messages, resends and marks.
type Seen =
    (BTreeMap<MessageId, Message>, BTreeMap<MessageId, Message>, BTreeMap<(ConversationId, AccountId), MessageId>);

fn delivered_log() -> impl Strategy<Value = (Vec<Entry>, Vec<Vec<Entry>>)> {
    log(40).prop_flat_map(|log| (Just(log.clone()), deliveries(log)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_delivery_gives_the_same_rows((log, batches) in delivered_log()) {
        let in_order: Vec<Vec<Entry>> = log.iter().map(|entry| vec![entry.clone()]).collect();
        let (expected, memory) = (Memory::of(&in_order), Memory::of(&batches));
        let reference = Reference::of(&log);
        prop_assert_eq!(memory.seen(), (reference.messages, reference.resends, reference.marks));
        prop_assert_eq!(memory.posted(), expected.posted());
        prop_assert_eq!(&memory.marks, &expected.marks);
        prop_assert_eq!(&memory.erasures, &expected.erasures);
    }

    #[test]
    fn what_waits_survives_its_column(log in log(30)) {
        let mut waiting = crate::waiting::Waiting::default();
        for entry in &log {
            waiting.insert(entry.position, &entry.event);
        }
        prop_assert_eq!(crate::waiting::Waiting::decode(&waiting.encode()).expect("it was just encoded"), waiting);
    }
}

#[test]
fn a_row_is_saved_only_if_it_changed() {
    let mut memory = Memory::default();
    let log = [entry(10, ana(), posted("hello")), entry(12, ana(), edited(10, "hi")), entry(14, ana(), read(10))];
    memory.apply(&log);
    let rows = memory.rows.values().cloned().collect();
    let changes = Batch::of_entries(&log).fold(rows, &Erasures::new());
    assert_eq!((changes.inserts, changes.updates), (Vec::new(), Vec::new()));
}

#[test]
fn an_erasure_leaves_nothing_waiting() {
    let mut memory = Memory::default();
    memory.apply(&[entry(12, ana(), edited(10, "early")), entry(22, ana(), edited(21, "of a later message"))]);
    memory.apply(&[entry(20, ana(), Body::ConversationDeleted)]);
    assert_eq!(memory.rows.keys().map(|id| id.get()).collect::<Vec<_>>(), [21]);
}

#[test]
fn a_row_remembers_the_last_entry_that_counted() {
    let mut memory = Memory::default();
    memory.apply(&[entry(14, ana(), read(10)), entry(10, ana(), posted("hello")), entry(12, ana(), edited(10, "hi"))]);
    let touched: Vec<_> = memory.posted().values().map(|posted| posted.touched_seq.get()).collect();
    assert_eq!(touched, [14]);
}
