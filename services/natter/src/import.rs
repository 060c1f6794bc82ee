//! `natter import-django`: brings accounts, conversations and messages over from a Django chat, and compares the two.

mod accounts;
mod check;
mod conversations;
mod gone;
mod messages;
mod progress;
mod report;
mod room;
mod target;
mod tokens;

use std::time::Duration;

use anyhow::bail;
use natter_host::lifecycle::Lifecycle;
use natter_host::telemetry;
use natter_store_django::database::Access;
use natter_store_django::django::Django;
use natter_store_django::error::DjangoError;
use natter_store_django::unfit::{Kind, Unfit};
use tokio_util::sync::CancellationToken;

use crate::cli::django::explain;
use crate::cli::import::ImportConfig;
use report::Report;
use target::Target;

/// Accounts, conversations or tokens that are brought over at a time.
const PAGE: usize = 1_000;

/// Longest time that what is in hand takes after Ctrl-C.
const GRACE: Duration = Duration::from_secs(20);

pub(crate) async fn run(config: &ImportConfig) -> anyhow::Result<()> {
    telemetry::init(&config.telemetry.clone().or_filter("error"))?;
    let lifecycle = Lifecycle::from_signals(GRACE)?;
    let django = Django::open(config.from.expose(), config.tables.tables(), Access::Read).await;
    let django = django.map_err(|error| explain(error, "--from"))?;
    lifecycle.run(async |stop, _| Box::pin(work(config, django, stop)).await).await
}

async fn work(config: &ImportConfig, django: Django, stop: CancellationToken) -> anyhow::Result<()> {
    let target = Target::open(config).await?;
    let (limits, trouble) = room::Limits::find(&django, &target, config).await?;
    let mut run = Run { django, target, limits, report: Report::new(), stop };
    match (config.check, config.dry_run) {
        (true, _) => check::compare(&mut run, config).await?,
        (false, true) => {
            if let Some(trouble) = trouble {
                run.report.cannot_begin(&trouble);
            }
            bring_all(&mut run, config, Mode::Dry).await?;
        }
        (false, false) => {
            if let Some(trouble) = trouble {
                return Err(trouble.into());
            }
            run.target.prepare(&run.limits).await?;
            bring_all(&mut run, config, Mode::Real).await?;
            if config.delete_gone && !run.is_stopped() {
                gone::delete(&mut run, config).await?;
            }
        }
    }
    run.conclude()
}

/// In the order in which they refer to each other.
async fn bring_all(run: &mut Run, config: &ImportConfig, mode: Mode) -> anyhow::Result<()> {
    accounts::bring(run, mode).await?;
    conversations::bring(run, mode).await?;
    tokens::bring(run, mode).await?;
    if !config.without_messages {
        messages::bring(run, config.since_id, mode).await?;
    }
    Ok(())
}

/// Is anything changed?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Only counted.
    Dry,
    /// Brought over.
    Real,
}

/// One run of the command.
struct Run {
    django: Django,
    target: Target,
    limits: room::Limits,
    report: Report,
    stop: CancellationToken,
}

impl Run {
    /// Somebody wants it to end.
    fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Those that fit and are Django's own; the others are reported.
    fn sort<T>(&mut self, kind: Kind, rows: Vec<Result<T, Unfit>>, id: impl Fn(&T) -> u64) -> Vec<T> {
        let mut fit = Vec::with_capacity(rows.len());
        for row in rows {
            match row {
                Ok(row) if self.limits.is_own(id(&row).cast_signed()) => self.report.passed_over(kind),
                Err(row) if self.limits.is_own(row.id) => self.report.passed_over(kind),
                Ok(row) => fit.push(row),
                Err(row) => self.report.left(&row),
            }
        }
        fit
    }

    fn conclude(mut self) -> anyhow::Result<()> {
        let is_stopped = self.is_stopped();
        self.report.conclude();
        if is_stopped {
            bail!("stopped before the end; run it again to go on");
        }
        match self.report.n_faults() {
            0 => Ok(()),
            1 => bail!("one row was left or differs"),
            n => bail!("{n} rows were left or differ"),
        }
    }
}

/// Django's database failed in the middle.
fn failed(error: DjangoError) -> anyhow::Error {
    explain(error, "--from")
}

/// A number of Django's as a number of Natter's; what lies below all ids is 0.
fn number(id: i64) -> u64 {
    u64::try_from(id).unwrap_or(0)
}
