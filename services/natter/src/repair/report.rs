//! What was done, and what nobody can know.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use natter_log::mend::Substitute;
use natter_model::event::Body;
use natter_model::id::Position;

/// Ranges that are shown one by one, at most.
const SHOWN: usize = 10;

/// Counts, and where.
pub(super) struct Report {
    /// The last position that the store knows.
    known: Position,
    put_back: BTreeMap<&'static str, u64>,
    unknown: Ranges,
    spared: Ranges,
    taken: Ranges,
}

impl Report {
    pub(super) fn new(known: Position) -> Self {
        let (put_back, [unknown, spared, taken]) = (BTreeMap::new(), std::array::from_fn(|_| Ranges::default()));
        Self { known, put_back, unknown, spared, taken }
    }

    /// This stands there now.
    pub(super) fn put(&mut self, position: Position, substitute: &Substitute) {
        match substitute {
            Substitute::Event(event) => *self.put_back.entry(name(&event.body)).or_default() += 1,
            Substitute::Filler if position <= self.known => self.unknown.add(position.get()),
            Substitute::Filler => self.spared.add(position.get()),
        }
    }

    /// Somebody else has put something there.
    pub(super) fn taken(&mut self, position: Position) {
        self.taken.add(position.get());
    }

    pub(super) fn say(&self) {
        for (name, n) in &self.put_back {
            println!("Put back: {n} of kind {name}.");
        }
        if self.put_back.is_empty() {
            println!("Put back: nothing.");
        }
        if !self.unknown.is_empty() {
            println!(
                "Filled: {}, of which the store knows nothing: events that later ones superseded, or lost ones.",
                self.unknown
            );
        }
        if !self.spared.is_empty() {
            println!(
                "Filled: {}, behind all that the store knows: events may have stood there that are lost.",
                self.spared
            );
        }
        if !self.taken.is_empty() {
            println!("Taken by others meanwhile, and left alone: {}. Run `natter verify`.", self.taken);
        }
    }
}

fn name(body: &Body) -> &'static str {
    match body {
        Body::Posted { .. } => "message",
        Body::Edited { .. } => "edit",
        Body::Deleted { .. } => "delete",
        Body::Read { .. } => "read mark",
        Body::ConversationDeleted => "deleted conversation",
        Body::ParticipantRemoved => "removed participant",
    }
}

/// Positions in ascending order, as ranges.
#[derive(Default)]
struct Ranges(Vec<RangeInclusive<u64>>);

impl Ranges {
    fn add(&mut self, position: u64) {
        match self.0.last_mut() {
            Some(last) if last.end() + 1 == position => *last = *last.start()..=position,
            _ => self.0.push(position..=position),
        }
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Display for Ranges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let n: u64 = self.0.iter().map(|range| range.end() - range.start() + 1).sum();
        write!(f, "{n} position{} (", if n == 1 { "" } else { "s" })?;
        for (i, range) in self.0.iter().take(SHOWN).enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            match range.start() == range.end() {
                true => write!(f, "{comma}{}", range.start())?,
                false => write!(f, "{comma}{} to {}", range.start(), range.end())?,
            }
        }
        if let (true, Some(last)) = (self.0.len() > SHOWN, self.0.last()) {
            write!(f, ", and so on up to {}", last.end())?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_told_with_their_count() {
        let mut ranges = Ranges::default();
        [3, 4, 5, 9].into_iter().for_each(|position| ranges.add(position));
        assert_eq!(ranges.to_string(), "4 positions (3 to 5, 9)");
        (0..20).for_each(|n| ranges.add(20 + 2 * n));
        assert!(ranges.to_string().ends_with("34, and so on up to 58)"), "{ranges}");
    }
}
