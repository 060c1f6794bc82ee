//! `natter verify`: compares the log with the store that it is folded into.

mod findings;
mod scratch;
mod window;

use anyhow::{Context as _, bail};
use natter_host::telemetry;
use natter_model::id::Position;

use crate::cli::VerifyConfig;
use crate::pair::Pair;
use findings::Findings;
use window::Verifier;

/// Records that are compared at a time.
const WINDOW: usize = 2_000;

pub(crate) async fn run(config: &VerifyConfig) -> anyhow::Result<()> {
    telemetry::init(&config.telemetry.clone().or_filter("error"))?;
    let pair = Pair::open(&config.pair).await?;
    let highest = pair.store.highest().await.context("asking the store how far it is")?;
    pair.log.expect_at_least(highest);
    let oldest = pair.log.oldest().await.context("asking the log how far back it goes")?;
    // What is not acknowledged may not be stored yet, and that is no fault.
    let floor = pair.backlog.floor().await.context("asking the log what is stored")?;
    let after = oldest.max(Position::new(config.from.saturating_sub(1)));
    let through = config.to.map_or(floor, |to| floor.min(Position::new(to)));
    if after >= through {
        println!("Nothing to compare: the log holds what is behind {oldest}, and up to {floor} it is stored.");
        return Ok(());
    }
    println!("Comparing what stands from {} to {through}.", after.get() + 1);
    let mut verifier = Verifier::new(&pair, through, config.repair);
    let mut at = after;
    while at < through {
        let mut records = pair.log.scan(at, WINDOW).await.context("reading the log")?;
        let is_full = records.len() == WINDOW;
        records.retain(|record| record.position() <= through);
        let last = records.last().map_or(through, |record| record.position());
        let end = if is_full { last } else { through };
        verifier.compare(at, end, &records).await?;
        at = end;
    }
    conclude(&verifier.finish())
}

fn conclude(findings: &Findings) -> anyhow::Result<()> {
    findings.say();
    match findings.n_remaining() {
        0 => Ok(()),
        1 => bail!("the store differs from the log in one place"),
        n => bail!("the store differs from the log in {n} places"),
    }
}
