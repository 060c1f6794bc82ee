//! The mirror's way along the log, record by record.

use std::collections::HashSet;

use natter_log::port::Delivery;
use natter_model::event::Entry;
use natter_model::id::Position;
use natter_store::fold::Row;
use natter_store_django::django::Django;
use natter_store_django::mirror::{LeftOut, Mirror, MirrorError, Step, Why};
use natter_store_django::tables::Part;
use tracing::{info, warn};

use super::metrics;
use super::order;
use super::rooms::{Rooms, Which};
use super::source::Source;
use super::trouble::Trouble;
use super::witness;

/// Records that are folded in one transaction, at most: at 500 the transaction's own cost no longer shows.
const BATCH: usize = 500;

/// Positions whose rows are asked for at a time.
const WINDOW: u64 = 2_000;

/// Reasons for leaving something out that are told; the same one again is only counted.
const TOLD: usize = 1_000;

/// One mirror at work.
pub(super) struct Walk<'s> {
    source: &'s Source,
    mirror: Mirror,
    rooms: Rooms,
    at: Position,
    told: HashSet<String>,
}

/// Where a mirror begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// Where the last one was.
    WhereItWas,
    /// Where Natter does.
    AtTheStart,
}

impl<'s> Walk<'s> {
    /// Waits for nobody: if it is another one's turn, that is an error.
    pub(super) async fn begin(source: &'s Source, django: &Django, begin: Begin) -> Result<Self, Trouble> {
        let mut mirror = Mirror::open(django).await?;
        if !mirror.takes_its_turn().await? {
            return Err(Trouble::Turn);
        }
        let oldest = source.log.oldest().await?;
        let at = match mirror.standing().await? {
            None => {
                refuse_strange_ids(source, django).await?;
                start_over(&mut mirror, source.first).await?
            }
            Some(standing) if standing.is_finished && source.first > standing.position => {
                start_over(&mut mirror, source.first).await?
            }
            Some(standing) if standing.is_finished => return Err(Trouble::Finished { at: standing.position }),
            Some(_) if begin == Begin::AtTheStart => start_over(&mut mirror, source.first).await?,
            Some(standing) => standing.position,
        };
        source.log.expect_at_least(at);
        info!(position = %at, "mirroring what stands behind");
        let mut walk = Self { source, mirror, rooms: Rooms::default(), at, told: HashSet::new() };
        walk.look_back(oldest).await?;
        let which = if begin == Begin::AtTheStart { Which::All } else { Which::Missing };
        walk.rooms.sweep(source, &mut walk.mirror, which).await?;
        Ok(walk)
    }

    /// Everything up to here is in Django's tables.
    pub(super) fn at(&self) -> Position {
        self.at
    }

    /// Folds what is next. `false`: there was nothing.
    pub(super) async fn step(&mut self) -> Result<bool, Trouble> {
        let records = self.source.log.scan(self.at, BATCH).await?;
        let is_all = records.len() < BATCH;
        let Some(last) = records.last().map(Delivery::position) else { return Ok(false) };
        let spans: Vec<_> = records.iter().filter_map(|record| record.span("mirror", records.len())).collect();
        let entries: Vec<Entry> = records
            .into_iter()
            .filter_map(|record| match record {
                Delivery::Entry(entry, _) => Some(entry),
                // The store puts what is unreadable aside, where somebody looks at it.
                Delivery::Unreadable { .. } | Delivery::Filler { .. } => None,
            })
            .collect();
        self.rooms.meet(self.source, &mut self.mirror, &entries).await?;
        let steps = order::steps(&*self.source.log, &mut self.mirror, &entries).await?;
        self.fold(&steps, last).await?;
        drop(spans);
        if is_all {
            metrics::behind(0);
        }
        Ok(true)
    }

    /// Looks after what no record tells: conversations that nobody has said anything in, and how far behind it is.
    pub(super) async fn tend(&mut self) -> Result<(), Trouble> {
        self.rooms.sweep(self.source, &mut self.mirror, Which::Missing).await?;
        self.look_back(self.source.log.oldest().await?).await?;
        self.behind().await.map(metrics::behind)
    }

    /// How many records are not in Django's tables yet.
    pub(super) async fn behind(&self) -> Result<u64, Trouble> {
        Ok(self.source.log.last().await?.get().saturating_sub(self.at.get()))
    }

    /// All of it, or up to what the database does not take: that one is left out, and the rest goes on.
    async fn fold(&mut self, steps: &[Step<'_>], to: Position) -> Result<(), Trouble> {
        let mut rest = steps;
        let mut n = rest.len();
        while n > 0 {
            let (now, later) = rest.split_at(n);
            let to = if later.is_empty() { to } else { now[n - 1].entry.position };
            match self.mirror.fold(self.at, to, now).await {
                Ok(folded) => {
                    metrics::folded(now.len(), folded.n_rows);
                    folded.left_out.iter().for_each(|left_out| self.tell(left_out));
                    (self.at, rest) = (to, later);
                    n = rest.len();
                }
                Err(MirrorError::Rejected(_)) if n > 1 => n /= 2,
                Err(MirrorError::Rejected(why)) => {
                    let refused = LeftOut { position: now[0].entry.position, why: Why::Refused(why) };
                    self.mirror.fold(self.at, to, &[]).await?;
                    self.tell(&refused);
                    (self.at, rest) = (to, later);
                    n = rest.len();
                }
                Err(error) => return Err(error.into()),
            }
        }
        if self.at < to {
            self.mirror.fold(self.at, to, &[]).await?;
            self.at = to;
        }
        metrics::at(self.at);
        Ok(())
    }

    /// What the log no longer holds is taken from the store: the messages as they are now.
    async fn look_back(&mut self, oldest: Position) -> Result<(), Trouble> {
        if self.at >= oldest {
            return Ok(());
        }
        warn!(
            position = %self.at,
            oldest = %oldest,
            "the log no longer holds what stands in between: the messages come from the store, as they are now; conversations \
             that ended and participants who were removed in between do not, `--check` names them"
        );
        let stored = self.source.pair.store.highest().await.map_err(Trouble::Store)?.max(oldest).get();
        let mut after = self.at.get();
        while after < stored {
            let to = stored.min(after + WINDOW);
            let rows = self.source.pair.store.touched(after + 1..=to).await.map_err(Trouble::Store)?;
            let entries: Vec<Entry> = rows.iter().filter_map(Row::posted).flat_map(witness::entries).collect();
            self.rooms.meet(self.source, &mut self.mirror, &entries).await?;
            let steps: Vec<Step<'_>> = entries.iter().map(|entry| Step { entry, over: None }).collect();
            let folded = self.mirror.fold(self.at, self.at, &steps).await?;
            folded.left_out.iter().for_each(|left_out| self.tell(left_out));
            after = to;
        }
        self.mirror.fold(self.at, oldest, &[]).await?;
        self.at = oldest;
        Ok(())
    }

    fn tell(&mut self, left_out: &LeftOut) {
        if matches!(left_out.why, Why::NoConversation(id) if self.rooms.has_ended(id)) {
            return;
        }
        metrics::skipped(left_out.why.label());
        let why = left_out.why.to_string();
        if self.told.len() < TOLD && self.told.insert(why.clone()) {
            warn!(position = %left_out.position, why, "left out, as will be more for the same reason");
        }
    }

    /// Django goes on alone.
    pub(super) async fn finish(mut self) -> Result<Position, Trouble> {
        self.mirror.finish(self.at).await?;
        Ok(self.at)
    }
}

/// Rows that are there before any mirror has been are Django's.
async fn refuse_strange_ids(source: &Source, django: &Django) -> Result<(), Trouble> {
    let before = source.first.as_i64().saturating_sub(1);
    let strange = django.extent(Part::Messages, before, i64::MAX).await.map_err(MirrorError::from)?;
    match strange.n_rows {
        0 => Ok(()),
        n_rows => Err(Trouble::IdsMeet { n_rows, first: source.first }),
    }
}

async fn start_over(mirror: &mut Mirror, first: Position) -> Result<Position, Trouble> {
    let at = Position::new(first.get().saturating_sub(1));
    mirror.begin_at(at).await?;
    Ok(at)
}
