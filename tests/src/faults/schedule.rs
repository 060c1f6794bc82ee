//! Which fault comes when: the same for the same seed.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt as _, SeedableRng as _};

use crate::faults::kind::Kind;

/// How long faults last.
#[derive(Debug, Clone, Copy)]
pub struct Lengths {
    /// At least.
    pub shortest: Duration,
    /// At most, for a process or a reader that stands still; a third of it for all else. The longer, the rarer.
    pub longest: Duration,
}

/// One fault that is to come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fault {
    /// What.
    pub kind: Kind,
    /// To which of several: taken modulo how many there are.
    pub which: usize,
    /// How long until it is mended.
    pub length: Duration,
}

/// Endless: every kind once in a random order, then again in another.
#[derive(Debug)]
pub struct Schedule {
    random: StdRng,
    kinds: Vec<Kind>,
    bag: Vec<Kind>,
    lengths: Lengths,
}

impl Schedule {
    /// Of these kinds, at least one.
    pub fn new(seed: u64, kinds: Vec<Kind>, lengths: Lengths) -> Self {
        Self { random: StdRng::seed_from_u64(seed), kinds, bag: Vec::new(), lengths }
    }
}

impl Iterator for Schedule {
    type Item = Fault;

    fn next(&mut self) -> Option<Fault> {
        if self.bag.is_empty() {
            self.bag.clone_from(&self.kinds);
            self.bag.shuffle(&mut self.random);
        }
        let kind = self.bag.pop()?;
        let which = self.random.random_range(0..60);
        let Lengths { shortest, mut longest } = self.lengths;
        if !matches!(kind, Kind::Pause(_) | Kind::NeverRead) {
            longest = shortest.max(longest / 3);
        }
        // As many between 1 and 2 seconds as between 2 and 4.
        let share = self.random.random_range(0.0..1.0);
        let length = shortest.mul_f64((longest.as_secs_f64() / shortest.as_secs_f64()).powf(share));
        Some(Fault { kind, which, length })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(seed: u64) -> Vec<Fault> {
        let lengths = Lengths { shortest: Duration::from_secs(1), longest: Duration::from_secs(30) };
        Schedule::new(seed, Kind::all(), lengths).take(200).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_faults() {
        assert_eq!(schedule(7), schedule(7));
        assert_ne!(schedule(7), schedule(8));
    }

    #[test]
    fn every_kind_comes_before_any_comes_again() {
        let n_kinds = Kind::all().len();
        let mut kinds: Vec<Kind> = schedule(7).iter().take(n_kinds).map(|fault| fault.kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        assert_eq!(kinds.len(), n_kinds);
        let lengths: Vec<u64> = schedule(7).iter().map(|fault| fault.length.as_secs()).collect();
        assert!(lengths.iter().all(|length| (1..=30).contains(length)), "{lengths:?}");
    }
}
