//! What put the latest records into the log, for those who fold them: so that a trace goes on there.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use natter_model::id::Position;
use natter_trace::context::TraceContext;

/// Traced records whose causes are remembered; those of older ones are forgotten. Whoever folds is rarely a hundred behind, and if
/// so only traces lack a part.
const REMEMBERED: usize = 1024;

/// Not in the file: who looks for a trace does so within minutes, and a format that holds it would last for years.
#[derive(Default)]
pub(super) struct Causes(Mutex<VecDeque<(Position, TraceContext)>>);

impl Causes {
    /// Positions must ascend.
    pub(super) fn note(&self, position: Position, cause: TraceContext) {
        let mut causes = self.lock();
        if causes.len() == REMEMBERED {
            causes.pop_front();
        }
        causes.push_back((position, cause));
    }

    /// What put the record at this position there, if that is known.
    pub(super) fn of(&self, position: Position) -> Option<TraceContext> {
        let causes = self.lock();
        let index = causes.binary_search_by_key(&position, |(noted, _)| *noted).ok()?;
        Some(causes[index].1.clone())
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Position, TraceContext)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
