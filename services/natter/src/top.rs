//! `natter top`: what a running system does at this moment, from its ops ports.

pub(crate) mod address;
mod cell;
mod change;
mod exposition;
mod lines;
mod live;
mod report;
mod scrape;
mod system;
mod tier;

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use anyhow::{Context as _, bail};
use natter_host::lifecycle::Lifecycle;
use tokio::sync::watch;
use tokio::time;

use crate::cli;
use crate::cli::top::TopConfig;
use crate::top::lines::lines;
use crate::top::report::Report;
use crate::top::system::System;

/// Runs until somebody leaves, or tells once.
pub(crate) async fn run(config: &TopConfig) -> anyhow::Result<()> {
    let guesses = if config.ops.is_empty() { cli::top::local() } else { Vec::new() };
    let system = System::new(&config.ops, &guesses);
    let every = Duration::from_secs(config.every_seconds);
    if config.once || config.json || !io::stdout().is_terminal() {
        tell_once(system, every, config.json).await
    } else {
        watch(system, every).await
    }
}

async fn tell_once(mut system: System, after: Duration, as_json: bool) -> anyhow::Result<()> {
    system.look().await;
    // Rates need two looks; but whoever waits for nobody need not wait longer.
    if !system.is_unknown() {
        time::sleep(after).await;
        system.look().await;
    }
    let report = Report::of(&system);
    let mut out = io::stdout().lock();
    if as_json {
        writeln!(out, "{:#}", report.json())?;
    } else {
        for line in lines(&report, usize::MAX) {
            writeln!(out, "{line}")?;
        }
    }
    if system.is_unknown() {
        bail!(
            "nobody answers; name the ops ports with --ops, such as --ops http://127.0.0.1:9090,http://127.0.0.1:9091"
        )
    }
    Ok(())
}

async fn watch(mut system: System, every: Duration) -> anyhow::Result<()> {
    let lifecycle = Lifecycle::from_signals(Duration::from_secs(1)).context("listening for signals")?;
    let (newest, reports) = watch::channel(None);
    lifecycle
        .run(|end, tasks| async move {
            let left = end.clone();
            let showing = tasks.spawn_blocking(move || {
                let shown = live::show(&reports, &left);
                left.cancel();
                shown
            });
            end.run_until_cancelled(look_again_and_again(&mut system, every, &newest)).await;
            showing.await.context("showing it")?.context("writing to the terminal")
        })
        .await
}

async fn look_again_and_again(system: &mut System, every: Duration, newest: &watch::Sender<Option<Report>>) {
    let mut ticks = time::interval(every);
    ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        system.look().await;
        newest.send_replace(Some(Report::of(system)));
    }
}
