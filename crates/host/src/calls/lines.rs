//! The addresses of a service, and whose turn it is.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use rand::seq::SliceRandom as _;
use tokio::sync::watch;
use tonic::transport::Channel;

use super::line::Line;

/// What is known of a service's addresses.
#[derive(Debug, Clone)]
pub(super) enum Known {
    /// Nothing yet.
    Nothing,
    /// They could never be looked up, for this reason.
    Failed(Arc<str>),
    /// These are all.
    Lines(Arc<[Arc<Line>]>),
}

/// Deals the calls out.
#[derive(Debug)]
pub(super) struct Lines {
    known: watch::Receiver<Known>,
    /// Those that have not had their turn. Dealt like cards: each has one turn a round, in an order drawn anew. In the same
    /// order each time, callers that always ask two things would ask the same address for the one and another for the other.
    deck: Mutex<Vec<Weak<Line>>>,
}

impl Lines {
    pub(super) fn new(known: watch::Receiver<Known>) -> Self {
        Self { known, deck: Mutex::default() }
    }

    /// Only this one, for ever.
    pub(super) fn one(channel: Channel) -> Self {
        let known = Known::Lines(Arc::new([Arc::new(Line::new(channel))]));
        // What was sent last is kept without its sender.
        Self::new(watch::channel(known).1)
    }

    /// Resolves once addresses are known, or with the reason why they are not.
    pub(super) async fn known(&self) -> Result<(), String> {
        let mut known = self.known.clone();
        let known = known.wait_for(|known| !matches!(known, Known::Nothing)).await;
        match known.as_deref() {
            Ok(Known::Failed(why)) => Err(why.to_string()),
            Ok(_) => Ok(()),
            Err(_) => Err("the program ends".to_owned()),
        }
    }

    /// How many are in this condition.
    #[cfg(test)]
    pub(super) fn count(&self, condition: super::line::Condition) -> usize {
        let Known::Lines(lines) = self.known.borrow().clone() else { return 0 };
        lines.iter().filter(|line| line.condition() == condition).count()
    }

    /// The one whose turn it is among the best of those that were not tried. `None`: all were.
    pub(super) fn next(&self, tried: &[Arc<Line>]) -> Option<Arc<Line>> {
        let Known::Lines(lines) = self.known.borrow().clone() else { return None };
        let is_tried = |line: &Arc<Line>| tried.iter().any(|tried| Arc::ptr_eq(tried, line));
        let left = lines.iter().filter(|line| !is_tried(line));
        let left: Vec<_> = left.map(|line| (line.condition(), line)).collect();
        let condition = left.iter().map(|(condition, _)| *condition).min()?;
        let best = left.into_iter().filter(|(other, _)| *other == condition);
        let best: Vec<_> = best.map(|(_, line)| line).collect();
        let mut deck = self.deck.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            while let Some(line) = deck.pop() {
                if let Some(line) = best.iter().find(|best| std::ptr::eq(line.as_ptr(), Arc::as_ptr(best))) {
                    return Some(Arc::clone(line));
                }
            }
            deck.extend(best.iter().map(|line| Arc::downgrade(line)));
            deck.shuffle(&mut rand::rng());
        }
    }
}
