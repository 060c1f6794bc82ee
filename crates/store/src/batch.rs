//! Many rows folded at once: what has to be loaded, and what has to be saved afterwards.
//!
//! A store adapter, in one transaction, loads
//! - the rows of [`Batch::ids`], and those that have one of [`Batch::client_keys`],
//! - the erasures of [`Batch::conversations`],
//! - if the batch erases, the awaited rows below [`Batch::erased_below`], and of [`Batch::erased`] conversations the
//!   resends and whatever row has the client key of one;
//!
//! calls [`Batch::fold`]; and saves the [`Changes`]. No other transaction may change these rows or erasures, or add one
//! with these keys, in between.

use std::collections::{BTreeMap, BTreeSet};

use natter_model::event::{Actor, Body, Entry};
use natter_model::id::{ConversationId, MessageId, Position};
use natter_model::timestamp::Timestamp;

use crate::check;
use crate::fold::{Effect, MarkKey, ReadMark, Row, State};
use crate::messages::{Message, Misfit, Refused};
use crate::resend::{ClientKey, settle};

/// How each erased conversation was last erased.
pub type Erasures = BTreeMap<ConversationId, Erasure>;

/// The end of a conversation: nothing of it from before is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// Where the entry stands that said so.
    pub erased_seq: Position,
    /// Who did it.
    pub actor: Actor,
    /// When they did.
    pub at: Timestamp,
}

/// Entries, or messages of another system, on their way into rows.
#[derive(Debug, Default)]
pub struct Batch<'a> {
    entries: Vec<&'a Entry>,
    imports: Vec<&'a Message>,
    erasures: Erasures,
    misfits: Vec<Misfit>,
    refused: Vec<Refused>,
}

/// What a batch changes. Ids are in ascending order everywhere.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Rows that were not there.
    pub inserts: Vec<Row>,
    /// Rows that were.
    pub updates: Vec<Row>,
    /// Awaited rows that nothing waits in any more.
    pub removals: Vec<MessageId>,
    /// Marks that only move forward, by message and then by position, one per key.
    pub marks: Vec<ReadMark>,
    /// Posted rows of these conversations are to be removed if they stand below, and with them the marks at them.
    pub erasures: Erasures,
    /// Entries that can never be applied.
    pub misfits: Vec<Misfit>,
    /// Messages of the other system that are not brought in.
    pub refused: Vec<Refused>,
}

impl<'a> Batch<'a> {
    /// A batch of log entries.
    pub fn of_entries(entries: &'a [Entry]) -> Self {
        let mut batch = Self::default();
        for entry in entries {
            match check::check(entry) {
                Err(misfit) => batch.misfits.push(misfit),
                Ok(()) if entry.event.body == Body::ConversationDeleted => {
                    let (erased_seq, event) = (entry.position, &entry.event);
                    let erasure = Erasure { erased_seq, actor: event.actor.clone(), at: event.at };
                    add(&mut batch.erasures, event.conversation, &erasure);
                }
                Ok(()) => batch.entries.push(entry),
            }
        }
        batch
    }

    /// A batch of another system's messages.
    pub fn of_imports(imports: &'a [Message]) -> Self {
        let mut batch = Self::default();
        for message in imports {
            match check::check_import(message) {
                Ok(()) => batch.imports.push(message),
                Err(reason) => batch.refused.push(Refused { id: message.id, reason }),
            }
        }
        batch
    }

    /// The messages it is about.
    pub fn ids(&self) -> BTreeSet<MessageId> {
        let imported = self.imports.iter().map(|message| message.id);
        self.entries.iter().filter_map(|entry| check::subject(entry)).chain(imported).collect()
    }

    /// What their senders call the messages that it posts.
    pub fn client_keys(&self) -> BTreeSet<ClientKey> {
        self.entries.iter().filter_map(|entry| ClientKey::of_event(&entry.event)).collect()
    }

    /// The conversations it is about, and whether the batch erases them.
    pub fn conversations(&self) -> BTreeMap<ConversationId, Access> {
        let posted = self.entries.iter().map(|entry| entry.event.conversation);
        let shared = posted.chain(self.imports.iter().map(|message| message.conversation));
        let erased = self.erasures.keys().map(|conversation| (*conversation, Access::Erases));
        shared.map(|conversation| (conversation, Access::Adds)).chain(erased).collect()
    }

    /// Where the last erasure of the batch stands; `None`: it erases nothing.
    pub fn erased_below(&self) -> Option<Position> {
        self.erasures.values().map(|erasure| erasure.erased_seq).max()
    }

    /// The conversations that it erases.
    pub fn erased(&self) -> impl Iterator<Item = ConversationId> {
        self.erasures.keys().copied()
    }

    /// Folds the batch into the rows that are stored.
    pub fn fold(self, rows: Vec<Row>, erasures: &Erasures) -> Changes {
        let mut keys = self.client_keys();
        let mut folding = Folding::new(rows, erasures, &self.erasures);
        (folding.misfits, folding.refused) = (self.misfits, self.refused);
        for entry in self.entries {
            folding.apply(entry);
        }
        for message in self.imports {
            folding.import(message);
        }
        keys.extend(folding.resent_in(&self.erasures));
        folding.settle_resends(&keys);
        folding.finish(self.erasures, erasures)
    }
}

/// What a batch does to a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It adds to it: any number of batches may at the same time.
    Adds,
    /// It erases what is there: nobody else may add meanwhile.
    Erases,
}

struct Folding {
    slots: BTreeMap<MessageId, Slot>,
    erasures: Erasures,
    marks: BTreeMap<MarkKey, ReadMark>,
    misfits: Vec<Misfit>,
    refused: Vec<Refused>,
}

struct Slot {
    row: Row,
    is_stored: bool,
    is_changed: bool,
}

impl Folding {
    fn new(rows: Vec<Row>, stored: &Erasures, new: &Erasures) -> Self {
        let mut erasures = stored.clone();
        for (conversation, erasure) in new {
            add(&mut erasures, *conversation, erasure);
        }
        let mut slots = BTreeMap::new();
        for mut row in rows {
            let mut is_changed = false;
            match &mut row.state {
                State::Awaited(waiting) => {
                    for (conversation, erasure) in new {
                        is_changed |= waiting.forget(*conversation, erasure.erased_seq);
                    }
                }
                // Removed together with the others that are not loaded.
                State::Posted(posted) if is_erased(new, posted.message.conversation, posted.posted_seq) => continue,
                State::Posted(_) => (),
            }
            slots.insert(row.id, Slot { row, is_stored: true, is_changed });
        }
        Self { slots, erasures, marks: BTreeMap::new(), misfits: Vec::new(), refused: Vec::new() }
    }

    fn apply(&mut self, entry: &Entry) {
        let Some(id) = check::subject(entry) else { return };
        if is_erased(&self.erasures, entry.event.conversation, entry.position) {
            return;
        }
        match self.slot(id).row.apply(entry) {
            Ok(effect) => self.note(id, effect),
            Err(misfit) => self.misfits.push(misfit),
        }
    }

    fn import(&mut self, message: &Message) {
        let id = message.id;
        let outcome = match self.erasures.contains_key(&message.conversation) {
            true => Err("its conversation was deleted"),
            false => self.slot(id).row.import(message),
        };
        match outcome {
            Ok(effect) => self.note(id, effect),
            Err(reason) => self.refused.push(Refused { id, reason }),
        }
    }

    /// What their senders call the messages of these conversations that were sent again.
    fn resent_in(&self, conversations: &Erasures) -> Vec<ClientKey> {
        let posted = self.slots.values().filter_map(|slot| slot.row.posted());
        let resent =
            posted.filter(|posted| posted.is_resend && conversations.contains_key(&posted.message.conversation));
        resent.filter_map(ClientKey::of_row).collect()
    }

    fn settle_resends(&mut self, keys: &BTreeSet<ClientKey>) {
        let slots = self.slots.values_mut().filter_map(|slot| match &mut slot.row.state {
            State::Posted(posted) => Some((&mut **posted, &mut slot.is_changed)),
            State::Awaited(_) => None,
        });
        settle(slots, keys);
    }

    fn slot(&mut self, id: MessageId) -> &mut Slot {
        self.slots.entry(id).or_insert_with(|| Slot { row: Row::new(id), is_stored: false, is_changed: false })
    }

    fn note(&mut self, id: MessageId, effect: Effect) {
        self.slot(id).is_changed |= effect.changed;
        for mark in effect.marks {
            let best = self.marks.entry(mark.key()).or_insert_with(|| mark.clone());
            if mark > *best {
                *best = mark;
            }
        }
    }

    fn finish(self, mut erasures: Erasures, stored: &Erasures) -> Changes {
        erasures.retain(|conversation, erasure| {
            stored.get(conversation).is_none_or(|stored| stored.erased_seq < erasure.erased_seq)
        });
        let mut changes = Changes { erasures, misfits: self.misfits, refused: self.refused, ..Changes::default() };
        changes.marks.extend(self.marks.into_values());
        for (id, slot) in self.slots {
            let is_empty = matches!(&slot.row.state, State::Awaited(waiting) if waiting.is_empty());
            match (slot.is_stored, is_empty) {
                _ if !slot.is_changed => (),
                (true, true) => changes.removals.push(id),
                (false, true) => (),
                (true, false) => changes.updates.push(slot.row),
                (false, false) => changes.inserts.push(slot.row),
            }
        }
        changes
    }
}

/// Does nothing remain of what stands there?
fn is_erased(erasures: &Erasures, conversation: ConversationId, position: Position) -> bool {
    erasures.get(&conversation).is_some_and(|erasure| position < erasure.erased_seq)
}

/// Of two erasures of a conversation the later one counts.
fn add(erasures: &mut Erasures, conversation: ConversationId, erasure: &Erasure) {
    let last = erasures.entry(conversation).or_insert_with(|| erasure.clone());
    if last.erased_seq < erasure.erased_seq {
        *last = erasure.clone();
    }
}

#[cfg(test)]
mod tests;
