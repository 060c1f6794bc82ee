//! `natter repair`: brings a log that went backwards past every position that was given out.

mod report;
mod witnesses;

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use natter_host::telemetry;
use natter_log::mend::{Mend, Substitute};
use natter_log_nats::{ProvisionError, begin_behind};
use natter_model::event::Event;
use natter_model::id::Position;

use crate::cli::RepairConfig;
use crate::pair::Pair;
use report::Report;

/// Positions behind the last that the store knows which are not given out again either: the store may have been a little
/// behind the log when that lost its tail, and somebody may have seen what stood there.
const MARGIN: u64 = 1_000;
/// Records that are put back at a time.
const BATCH: u64 = 1_000;
/// How often somebody else may append in between before that is told.
const MAX_ATTEMPTS: u32 = 10;

pub(crate) async fn run(config: &RepairConfig) -> anyhow::Result<()> {
    telemetry::init(&config.telemetry.clone().or_filter("error"))?;
    let pair = Pair::open(&config.pair).await?;
    let known = pair.store.highest().await.context("asking the store how far it is")?;
    let last = pair.log.last().await.context("asking the log where it ends")?;
    let past = Position::new(config.past);
    if last >= known.max(past) {
        println!("Nothing to mend: the log ends at {last}, and the store knows of nothing behind that.");
        return Ok(());
    }
    let until = if last < known { past.max(Position::new(known.get() + MARGIN)) } else { past };
    println!("The log ends at {last}; the store bears witness of positions up to {known}.");
    if let Some(access) = &pair.nats
        && begin_behind(access, until).await.map_err(explain)?
    {
        println!("The log holds nothing, so it is made anew: its next position is {}.", until.get() + 1);
        println!("Everything that it held is in the store, or lost: of what the store has not seen, nobody knows.");
        return Ok(());
    }
    let witnesses = witnesses::of(&*pair.store, last.get() + 1..=known.get()).await;
    let witnesses = witnesses.context("asking the store what stood there")?;
    let mut report = Report::new(known);
    let mended = mend(&*pair.log, &witnesses, last, until, &mut report).await;
    report.say();
    mended.context("putting back what is lost; run it again to go on")
}

async fn mend(
    log: &dyn Mend,
    witnesses: &BTreeMap<Position, Event>,
    mut last: Position,
    until: Position,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut attempts = 0;
    while last < until {
        let positions = last.get() + 1..=until.get().min(last.get() + BATCH);
        let substitutes: Vec<Substitute> = positions
            .map(|position| witnesses.get(&Position::new(position)))
            .map(|event| event.map_or(Substitute::Filler, |event| Substitute::Event(event.clone())))
            .collect();
        let stand = log.put_back(last, &substitutes).await?;
        let all_stand = stand.iter().all(|stands| *stands);
        let end = if all_stand { Position::new(last.get() + stand.len() as u64) } else { log.last().await? };
        for ((substitute, stands), position) in substitutes.iter().zip(stand).zip(last.get() + 1..=end.get()) {
            match stands {
                true => report.put(Position::new(position), substitute),
                false => report.taken(Position::new(position)),
            }
        }
        last = end;
        attempts += u32::from(!all_stand);
        if attempts == MAX_ATTEMPTS {
            bail!("others append to the log all the time");
        }
    }
    Ok(())
}

fn explain(error: ProvisionError) -> anyhow::Error {
    anyhow::Error::new(error).context("making the empty log anew")
}
