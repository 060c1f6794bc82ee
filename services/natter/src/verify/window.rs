//! Comparing a stretch of the log with the store.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use natter_log::port::Delivery;
use natter_model::event::{Body, Entry};
use natter_model::id::Position;
use natter_proto::record;
use natter_store::batch::Changes;

use super::findings::{Difference, Findings};
use super::scratch::{Scratch, deciders, differing, posted};
use crate::pair::Pair;

/// Messages whose rows are loaded at a time.
const ROWS: usize = 2_000;

/// Goes along the log, and keeps what has to be compared later on.
pub(super) struct Verifier<'a> {
    pair: &'a Pair,
    through: Position,
    repairs: bool,
    scratch: Scratch,
    fillers: BTreeSet<Position>,
    findings: Findings,
}

impl<'a> Verifier<'a> {
    /// Up to `through`, everything is said to be stored.
    pub(super) fn new(pair: &'a Pair, through: Position, repairs: bool) -> Self {
        let (scratch, fillers, findings) = (Scratch::default(), BTreeSet::new(), Findings::default());
        Self { pair, through, repairs, scratch, fillers, findings }
    }

    pub(super) fn finish(self) -> Findings {
        self.findings
    }

    /// Compares what stands behind `after` up to `end`: these records.
    pub(super) async fn compare(&mut self, after: Position, end: Position, records: &[Delivery]) -> anyhow::Result<()> {
        let mut entries: BTreeMap<Position, Entry> = BTreeMap::new();
        for record in records {
            match record {
                Delivery::Entry(entry, _) => {
                    self.scratch.fold(entry);
                    entries.insert(entry.position, entry.clone());
                }
                Delivery::Filler { position } => {
                    self.findings.n_fillers += 1;
                    self.fillers.insert(*position);
                }
                Delivery::Unreadable { .. } => self.findings.n_unusable += 1,
            }
        }
        self.findings.n_events += entries.len() as u64;
        let in_order: Vec<Entry> = entries.values().cloned().collect();
        let changes = self.apply_dry(&in_order).await?;
        self.check_quarantine(after, end, records, &entries, &changes).await?;
        self.find_strangers(after, end, &entries).await?;
        self.compare_rows(end).await
    }

    /// What the store has not taken in.
    async fn apply_dry(&mut self, entries: &[Entry]) -> anyhow::Result<Changes> {
        const ASKING: &str = "asking the store what it would change";
        let changes = self.pair.store.dry_run(entries).await.context(ASKING)?;
        let found = differences(&changes, entries);
        if found.is_empty() || !self.repairs {
            found.into_iter().for_each(|difference| self.findings.remains(difference));
            return Ok(changes);
        }
        self.pair.store.apply(entries).await.context("applying what is missing")?;
        let changes = self.pair.store.dry_run(entries).await.context(ASKING)?;
        let remaining = differences(&changes, entries);
        for difference in found {
            if !remaining.contains(&difference) {
                self.findings.is_mended(difference);
            }
        }
        remaining.into_iter().for_each(|difference| self.findings.remains(difference));
        Ok(changes)
    }

    /// Whether what no row can be made of has been kept.
    async fn check_quarantine(
        &mut self,
        after: Position,
        end: Position,
        records: &[Delivery],
        entries: &BTreeMap<Position, Entry>,
        changes: &Changes,
    ) -> anyhow::Result<()> {
        let unreadable = records.iter().filter_map(|record| match record {
            Delivery::Unreadable { position, bytes, reason } => Some((*position, bytes.to_vec(), reason.clone())),
            Delivery::Entry(..) | Delivery::Filler { .. } => None,
        });
        let misfits = changes.misfits.iter().filter_map(|misfit| {
            let entry = entries.get(&misfit.position)?;
            Some((misfit.position, record::encode_event(&entry.event), misfit.reason.clone()))
        });
        let unusable: Vec<_> = unreadable.chain(misfits).collect();
        if unusable.is_empty() {
            return Ok(());
        }
        let store = &self.pair.store;
        let kept = store.quarantined(after.get() + 1..=end.get()).await.context("asking for the quarantine")?;
        for (position, bytes, reason) in unusable.into_iter().filter(|(position, ..)| !kept.contains_key(position)) {
            let difference = Difference::NotQuarantined(position);
            if self.repairs {
                store.quarantine(position, &bytes, &reason).await.context("keeping a record in quarantine")?;
                self.findings.is_mended(difference);
            } else {
                self.findings.remains(difference);
            }
        }
        Ok(())
    }

    /// What the store has from there, and the log has not.
    async fn find_strangers(
        &mut self,
        after: Position,
        end: Position,
        entries: &BTreeMap<Position, Entry>,
    ) -> anyhow::Result<()> {
        const ASKING: &str = "asking the store what it has";
        let (store, range) = (&self.pair.store, after.get() + 1..=end.get());
        let mut strange = Vec::new();
        for row in store.rows(range.clone()).await.context(ASKING)? {
            let Some((posted, event)) = posted(&row).and_then(|posted| Some((posted, posted.event?))) else { continue };
            let is_there = entries.get(&posted.posted_seq).is_some_and(|entry| entry.event.id == event);
            if !is_there {
                strange.push((posted.posted_seq, Difference::StrangeMessage(row.id)));
            }
        }
        for mark in store.marks(range.clone()).await.context(ASKING)? {
            let entry = entries.get(&mark.touched_seq);
            if !entry.is_some_and(|entry| entry.event.body == Body::Read { message: mark.message }) {
                strange.push((mark.touched_seq, Difference::StrangeMark(mark.touched_seq)));
            }
        }
        for erasure in store.erasures(range).await.context(ASKING)?.into_values() {
            let entry = entries.get(&erasure.erased_seq);
            if !entry.is_some_and(|entry| entry.event.body == Body::ConversationDeleted) {
                strange.push((erasure.erased_seq, Difference::StrangeErasure(erasure.erased_seq)));
            }
        }
        if !strange.is_empty() {
            // Records that have grown too old meanwhile are missed by nobody.
            let oldest = self.pair.log.oldest().await.context("asking the log how far back it goes")?;
            strange.retain(|(position, _)| *position > oldest && !self.fillers.contains(position));
        }
        strange.into_iter().for_each(|(_, difference)| self.findings.remains(difference));
        Ok(())
    }

    /// Compares the rows that nothing behind `end` has touched: all that made them has been folded here too. If an event
    /// behind it should have touched one and did not, the dry run tells.
    async fn compare_rows(&mut self, end: Position) -> anyhow::Result<()> {
        for ids in self.scratch.ids().chunks(ROWS) {
            let rows = self.pair.store.rows_of(ids).await.context("asking the store for rows")?;
            let stored: BTreeMap<_, _> = rows.iter().filter_map(|row| Some((row.id, posted(row)?))).collect();
            for id in ids {
                let (Some(stored), Some(folded)) = (stored.get(id), self.scratch.get(*id)) else {
                    // Not there: the dry run has told, unless its conversation has been ended since.
                    self.scratch.forget(*id);
                    continue;
                };
                if stored.touched_seq > end && stored.touched_seq <= self.through {
                    continue;
                }
                // What was done to an imported message before it was relayed may be older than the log.
                let is_early = |position| position > Position::START && position < stored.posted_seq;
                let is_whole = stored.touched_seq <= end
                    && !deciders(stored).any(|position| self.fillers.contains(&position) || is_early(position));
                let fields = if is_whole { differing(stored, folded) } else { Vec::new() };
                self.findings.n_rows += u64::from(is_whole);
                if !fields.is_empty() {
                    self.findings.remains(Difference::Altered(*id, fields));
                }
                self.scratch.forget(*id);
            }
        }
        Ok(())
    }
}

fn differences(changes: &Changes, entries: &[Entry]) -> Vec<Difference> {
    let has_post = |id| entries.iter().any(|entry| entry.message_id() == Some(id));
    let mut found: Vec<_> = changes
        .inserts
        .iter()
        .map(|row| if has_post(row.id) { Difference::MissingMessage(row.id) } else { Difference::Behind(row.id) })
        .chain(changes.updates.iter().map(|row| Difference::Behind(row.id)))
        .chain(changes.removals.iter().map(|id| Difference::Behind(*id)))
        .collect();
    found.extend(changes.marks.iter().map(|mark| Difference::MissingMark(mark.touched_seq)));
    found.extend(changes.erasures.values().map(|erasure| Difference::MissingErasure(erasure.erased_seq)));
    found
}
