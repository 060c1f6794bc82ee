//! Which records of the backlog are to be handed out next. No IO.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

/// Hands each position to one reader at a time, in order.
#[derive(Debug)]
pub(super) struct Desk {
    /// The last record.
    head: u64,
    /// The last position that was handed out for the first time.
    cursor: u64,
    /// Beyond the cursor, but acknowledged before this process began.
    acknowledged: BTreeSet<u64>,
    /// Handed out before and returned, and from when on they may be handed out again.
    returned: BTreeMap<u64, Instant>,
    closed: bool,
}

impl Desk {
    /// Records from behind `floor` to `head` wait, except those that have been `acknowledged`.
    pub(super) fn new(head: u64, floor: u64, acknowledged: BTreeSet<u64>) -> Self {
        Self { head, cursor: floor, acknowledged, returned: BTreeMap::new(), closed: false }
    }

    /// There are records up to here. Answers whether that is new.
    pub(super) fn extend(&mut self, head: u64) -> bool {
        let more = head > self.head;
        self.head = head;
        more
    }

    /// Up to `limit` positions, ascending. They stay with the caller until it gives them back.
    pub(super) fn take(&mut self, limit: usize, now: Instant) -> Vec<u64> {
        let due = self.returned.iter().filter(|(_, due)| **due <= now).map(|(position, _)| *position);
        let mut taken: Vec<u64> = due.take(limit).collect();
        for position in &taken {
            self.returned.remove(position);
        }
        while taken.len() < limit && self.cursor < self.head {
            self.cursor += 1;
            if !self.acknowledged.remove(&self.cursor) {
                taken.push(self.cursor);
            }
        }
        taken
    }

    /// These may be handed out again, from `due` on.
    pub(super) fn give_back(&mut self, positions: impl IntoIterator<Item = u64>, due: Instant) {
        self.returned.extend(positions.into_iter().map(|position| (position, due)));
    }

    /// When the first of what was given back is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.returned.values().min().copied()
    }

    /// Nothing will come any more.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn hands_each_position_out_once_and_in_order() {
        let now = Instant::now();
        let mut desk = Desk::new(12, 9, BTreeSet::new());
        assert_eq!(desk.take(2, now), [10, 11]);
        assert_eq!(desk.take(2, now), [12]);
        assert!(desk.take(2, now).is_empty());
        assert!(desk.extend(13));
        assert_eq!(desk.take(2, now), [13]);
    }

    #[test]
    fn passes_over_what_was_acknowledged_before() {
        let mut desk = Desk::new(5, 0, BTreeSet::from([2, 3, 5]));
        assert_eq!(desk.take(9, Instant::now()), [1, 4]);
    }

    #[test]
    fn hands_out_what_was_given_back_when_it_is_due_and_before_the_rest() {
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        let mut desk = Desk::new(5, 0, BTreeSet::new());
        assert_eq!(desk.take(3, now), [1, 2, 3]);
        desk.give_back([3], now);
        desk.give_back([1], later);
        assert_eq!(desk.next_due(), Some(now));
        assert_eq!(desk.take(2, now), [3, 4]);
        assert_eq!(desk.next_due(), Some(later));
        assert_eq!(desk.take(2, later), [1, 5]);
        assert_eq!(desk.next_due(), None);
    }
}
