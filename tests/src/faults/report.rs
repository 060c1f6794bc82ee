//! What a run found, as a table.

use std::collections::BTreeMap;
use std::fmt;

use crate::faults::board::Look;
use crate::faults::history::Moment;
use crate::faults::judge::{Finding, Wrong};

/// How many findings are printed.
const SHOWN: usize = 40;

/// One fault that was injected, and what happened until the next.
#[derive(Debug, Clone)]
pub struct Window {
    /// The name of its kind.
    pub kind: String,
    /// When it began.
    pub from: Moment,
    /// How it went until the next one.
    pub look: Look,
    /// How long after its end everything worked for everybody again.
    pub recovery: Moment,
}

/// All of it.
#[derive(Debug, Default)]
pub struct Report {
    /// The faults, in order.
    pub windows: Vec<Window>,
    /// What is wrong, in order.
    pub findings: Vec<Finding>,
    /// What makes the run repeatable.
    pub seed: u64,
    /// What was judged: messages that were acknowledged, events in all streams, rows in the store.
    pub n_judged: (u64, usize, usize),
}

#[derive(Debug, Default, Clone, Copy)]
struct Line {
    n_injections: usize,
    look: Look,
    recovery: Moment,
    lost: usize,
    duplicated: usize,
    reordered: usize,
    gaps: usize,
    other: usize,
}

impl Report {
    /// Nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    fn lines(&self) -> BTreeMap<&str, Line> {
        let mut lines: BTreeMap<&str, Line> = BTreeMap::new();
        for window in &self.windows {
            let line = lines.entry(&window.kind).or_default();
            line.n_injections += 1;
            line.add(window.look, window.recovery);
        }
        for finding in &self.findings {
            let next = self.windows.partition_point(|window| window.from <= finding.at);
            let kind = next.checked_sub(1).map_or("(no fault)", |number| self.windows[number].kind.as_str());
            lines.entry(kind).or_default().count(finding.wrong);
        }
        lines
    }
}

impl Line {
    fn add(&mut self, look: Look, recovery: Moment) {
        self.look = Look {
            n_messages: self.look.n_messages + look.n_messages,
            ack_stall: self.look.ack_stall.max(look.ack_stall),
            delivery_stall: self.look.delivery_stall.max(look.delivery_stall),
            longest_wait: self.look.longest_wait.max(look.longest_wait),
        };
        self.recovery = self.recovery.max(recovery);
    }

    fn count(&mut self, wrong: Wrong) {
        let cell = match wrong {
            Wrong::Lost => &mut self.lost,
            Wrong::Duplicated => &mut self.duplicated,
            Wrong::Reordered => &mut self.reordered,
            Wrong::Gap => &mut self.gaps,
            Wrong::Ghost | Wrong::Differing | Wrong::Contradicted | Wrong::Refused | Wrong::Stuck => &mut self.other,
        };
        *cell += 1;
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
        let seconds = |moment: Moment| format!("{:.1}", f64::from(moment) / 1000.0);
        let Look { n_messages, ack_stall, delivery_stall, longest_wait } = self.look;
        writeln!(
            f,
            "{name:<28} {:>6} {n_messages:>9} {:>5} {:>5} {:>5} {:>5} {:>5} {:>9} {:>9} {:>9} {:>9}",
            self.n_injections,
            self.lost,
            self.duplicated,
            self.reordered,
            self.gaps,
            self.other,
            seconds(ack_stall),
            seconds(delivery_stall),
            seconds(longest_wait),
            seconds(self.recovery),
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<28} {:>6} {:>9} {:>5} {:>5} {:>5} {:>5} {:>5} {:>9} {:>9} {:>9} {:>9}",
            "fault",
            "times",
            "messages",
            "lost",
            "dup",
            "reord",
            "gaps",
            "other",
            "ack s",
            "deliv s",
            "wait s",
            "back s"
        )?;
        let mut total = Line::default();
        for (kind, line) in self.lines() {
            line.write(f, kind)?;
            total.add(line.look, line.recovery);
            total.n_injections += line.n_injections;
            total.lost += line.lost;
            total.duplicated += line.duplicated;
            total.reordered += line.reordered;
            total.gaps += line.gaps;
            total.other += line.other;
        }
        total.write(f, "total")?;
        writeln!(
            f,
            "ack s, deliv s: longest time without any acknowledgement, and without anybody being told anything."
        )?;
        writeln!(
            f,
            "wait s: longest that one message waited. back s: longest until all worked for all after the fault."
        )?;
        let (n_messages, n_events, n_rows) = self.n_judged;
        writeln!(
            f,
            "Judged: {n_messages} acknowledged messages, {n_events} events that clients were told, {n_rows} rows. \
             Seed {}.",
            self.seed
        )?;
        if !self.is_clean() {
            writeln!(f, "WRONG: {} findings. The first:", self.findings.len())?;
            self.findings.iter().take(SHOWN).try_for_each(|finding| writeln!(f, "{finding}"))?;
        }
        Ok(())
    }
}
