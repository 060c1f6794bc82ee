//! What came of it.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Display;

use natter_store_django::unfit::{Kind, Unfit};

use super::progress::Progress;

/// Differences of each kind that are printed; the others are only counted.
const SHOWN_DIFFERENCES: u64 = 20;

/// Tells what happens, and adds it up.
#[derive(Debug)]
pub(super) struct Report {
    tallies: BTreeMap<Kind, Tally>,
    progress: Option<Progress>,
    n_faults: u64,
    /// Rows that were left: what refers to them is left too.
    left: HashSet<(Kind, u64)>,
}

/// What came of the rows of one kind.
#[derive(Debug, Default)]
struct Tally {
    n_read: u64,
    n_changed: u64,
    n_same: u64,
    n_since: u64,
    n_passed_over: u64,
    n_left: u64,
    n_different: u64,
    n_deleted: u64,
    n_noted: u64,
}

impl Report {
    pub(super) fn new() -> Self {
        Self { tallies: BTreeMap::new(), progress: None, n_faults: 0, left: HashSet::new() }
    }

    /// Rows of this kind are next, so many of them.
    pub(super) fn begin(&mut self, kind: Kind, total: u64) {
        self.tallies.entry(kind).or_default();
        self.progress = Some(Progress::new(title(kind), total));
    }

    /// So many rows of Django's have been looked at.
    pub(super) fn read(&mut self, kind: Kind, n: usize) {
        self.tally(kind).n_read += n as u64;
        if let Some(progress) = &mut self.progress {
            progress.advance(n as u64);
        }
    }

    /// There are no more of this kind.
    pub(super) fn end(&mut self) {
        if let Some(progress) = self.progress.take() {
            progress.finish();
        }
    }

    /// So many were not here yet, or not like this.
    pub(super) fn changed(&mut self, kind: Kind, n: u64) {
        self.tally(kind).n_changed += n;
    }

    /// One is on both sides alike.
    pub(super) fn same(&mut self, kind: Kind) {
        self.tally(kind).n_same += 1;
    }

    /// One differs by what Natter has changed since.
    pub(super) fn since(&mut self, kind: Kind) {
        self.tally(kind).n_since += 1;
    }

    /// One is Natter's own, or was deleted here.
    pub(super) fn passed_over(&mut self, kind: Kind) {
        self.tally(kind).n_passed_over += 1;
    }

    /// One does not fit.
    pub(super) fn left(&mut self, row: &Unfit) {
        self.n_faults += 1;
        self.tally(row.kind).n_left += 1;
        if let Ok(id) = u64::try_from(row.id) {
            self.left.insert((row.kind, id));
        }
        self.print(&format!("Left: {row}"));
    }

    /// Was this one left?
    pub(super) fn was_left(&self, kind: Kind, id: u64) -> bool {
        self.left.contains(&(kind, id))
    }

    /// One was deleted here because it is gone from Django.
    pub(super) fn deleted(&mut self, kind: Kind) {
        self.tally(kind).n_deleted += 1;
    }

    /// One is brought over, but somebody should know.
    pub(super) fn note(&mut self, kind: Kind, id: impl Display, what: &str) {
        self.tally(kind).n_noted += 1;
        self.print(&format!("Note: {kind} {id}: {what}"));
    }

    /// The two sides differ.
    pub(super) fn differs(&mut self, kind: Kind, id: impl Display, what: &str) {
        self.n_faults += 1;
        self.tally(kind).n_different += 1;
        let n_different = self.tally(kind).n_different;
        if n_different <= SHOWN_DIFFERENCES {
            self.print(&format!("Differs: {kind} {id} {what}"));
        } else if n_different == SHOWN_DIFFERENCES + 1 {
            self.print(&format!("Further differences of {} are only counted.", title(kind).to_lowercase()));
        }
    }

    /// A real run would be refused.
    pub(super) fn cannot_begin(&mut self, trouble: &impl Display) {
        self.n_faults += 1;
        self.print(&format!("Refused: {trouble}"));
    }

    /// Something worth knowing.
    pub(super) fn print(&self, line: &str) {
        match &self.progress {
            Some(progress) => progress.print(line),
            None => println!("{line}"),
        }
    }

    /// Rows that were left, or differ.
    pub(super) fn n_faults(&self) -> u64 {
        self.n_faults
    }

    /// Prints the sums.
    pub(super) fn conclude(&mut self) {
        self.end();
        for (kind, tally) in &self.tallies {
            println!("{}: {}.", title(*kind), tally.text());
        }
    }

    fn tally(&mut self, kind: Kind) -> &mut Tally {
        self.tallies.entry(kind).or_default()
    }
}

impl Tally {
    fn text(&self) -> String {
        let mut parts = vec![format!("{} read", self.n_read)];
        let mut add = |n: u64, what: &str| {
            if n > 0 {
                parts.push(format!("{n} {what}"));
            }
        };
        add(self.n_same, "the same");
        add(self.n_since, "changed here since");
        add(self.n_changed, "new or changed");
        add(self.n_passed_over, "passed over, which are Natter's own or were deleted here");
        add(self.n_deleted, "deleted here, which are gone from Django");
        add(self.n_noted, "noted");
        add(self.n_left, "left");
        add(self.n_different, "different");
        parts.join(", ")
    }
}

fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::Account => "Accounts",
        Kind::Conversation => "Conversations",
        Kind::Message => "Messages",
        Kind::RefreshToken => "Refresh tokens",
    }
}
