//! Any order, any repetition, any split into batches gives what the log in order adds up to.

use proptest::prelude::*;

use super::*;
use crate::contract::bygones::{Snapshots, Step, interleaved, snapshots};
use crate::contract::chatter::{ana, edited, entry, posted, read};
use crate::contract::logs::{deliveries, log};
use crate::contract::reference::Reference;
use crate::fold::{MarkKey, Posted};

/// A store that forgets everything at the end of the test.
#[derive(Default)]
struct Memory {
    rows: BTreeMap<MessageId, Row>,
    marks: BTreeMap<MarkKey, ReadMark>,
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

    fn of_steps(steps: &[Step]) -> Self {
        let mut memory = Self::default();
        for step in steps {
            match step {
                Step::Log(entries) => assert_eq!(memory.apply(entries), []),
                Step::Import(messages) => drop(memory.change(Batch::of_imports(messages))),
            }
        }
        memory
    }

    fn apply(&mut self, entries: &[Entry]) -> Vec<Misfit> {
        self.change(Batch::of_entries(entries)).0
    }

    fn change(&mut self, batch: Batch<'_>) -> (Vec<Misfit>, Vec<Refused>) {
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
        for (conversation, erasure) in changes.erasures {
            let erased = erasure.erased_seq;
            self.erasures.insert(conversation, erasure);
            self.rows.retain(|_, row| match &row.state {
                State::Posted(posted) => posted.message.conversation != conversation || posted.posted_seq >= erased,
                State::Awaited(_) => true,
            });
            self.marks.retain(|(of, ..), mark| *of != conversation || self.rows.contains_key(&mark.message));
        }
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
            let best = self.marks.entry(mark.key()).or_insert_with(|| mark.clone());
            *best = best.clone().max(mark);
        }
        (changes.misfits, changes.refused)
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
type Seen = (BTreeMap<MessageId, Message>, BTreeMap<MessageId, Message>, BTreeMap<MarkKey, MessageId>);

fn log_and_imports() -> impl Strategy<Value = (Vec<Entry>, Snapshots, Vec<Step>)> {
    let given = log(40).prop_flat_map(|log| (Just(log.clone()), snapshots(&log, 0)));
    given.prop_flat_map(|(log, imports)| (Just(log.clone()), Just(imports.clone()), interleaved(log, imports)))
}

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
    fn imports_may_come_at_any_time((log, imports, steps) in log_and_imports()) {
        let memory = Memory::of_steps(&steps);
        let [first, second] = imports.clone();
        let expected = Memory::of_steps(&[Step::Import(first), Step::Import(second), Step::Log(log.clone())]);
        let reference = Reference::with_imports(&imports[1], &log);
        prop_assert_eq!(memory.seen(), (reference.messages, reference.resends, reference.marks));
        prop_assert_eq!(memory.posted(), expected.posted());
        prop_assert_eq!(&memory.marks, &expected.marks);
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
