//! `natter mirror-django`: writes what is said in Natter into Django's own tables.

mod check;
mod live;
mod metrics;
mod order;
mod rooms;
mod source;
mod trouble;
mod walk;
mod witness;

use anyhow::Context as _;
use natter_host::addresses::Addresses;
use natter_host::exit::Misconfigured;
use natter_host::lifecycle::Lifecycle;
use natter_host::ops::Ops;
use natter_host::readiness::Readiness;
use natter_host::traces::Traces;
use natter_host::{probe, telemetry};
use natter_store_django::database::Access;
use natter_store_django::django::Django;

use crate::cli::django::explain;
use crate::cli::mirror::MirrorConfig;
use live::{Live, Until};
use source::Source;

/// The setting that names Django's database.
const TO: &str = "--to";

pub(crate) async fn run(config: &MirrorConfig) -> anyhow::Result<()> {
    if config.host.probe {
        return probe::ask(config.ops_listen);
    }
    if config.check {
        telemetry::init(&config.host.telemetry.clone().or_filter("error"))?;
        return Box::pin(check::run(config)).await;
    }
    let until = Until::of(config);
    if until == Until::Stopped {
        return serve(config).await;
    }
    telemetry::init(&config.host.telemetry.clone().or_filter("warn,natter::mirror=info"))?;
    let lifecycle = Lifecycle::from_signals(config.host.drain())?;
    let readiness = Readiness::new(&[], lifecycle.drain());
    lifecycle.run(async |drain, _| Box::pin(mirror(config, until, &readiness, drain)).await).await
}

/// As a service.
async fn serve(config: &MirrorConfig) -> anyhow::Result<()> {
    let traces = Traces::open("natter-mirror", &config.host.traces)?;
    telemetry::init_with(&config.host.telemetry, &traces)?;
    let counted = natter_host::metrics::install()?;
    metrics::describe();
    let lifecycle = Lifecycle::from_signals(config.host.drain()).context("listening to signals")?;
    let readiness = Readiness::new(&trouble::NEEDS, lifecycle.drain());
    let ops = Ops::bind("MIRROR_OPS_LISTEN", config.ops_listen).await?;
    Addresses { listen: ops.address(), ops: Some(ops.address()) }.announce(&config.host)?;
    let _probes = ops.serve(readiness.clone(), counted);
    lifecycle.run(async |drain, _| Box::pin(mirror(config, Until::Stopped, &readiness, drain)).await).await
}

async fn mirror(
    config: &MirrorConfig,
    until: Until,
    readiness: &Readiness,
    drain: tokio_util::sync::CancellationToken,
) -> anyhow::Result<()> {
    let Some(source) = drain.run_until_cancelled(Source::open(config, readiness)).await else { return Ok(()) };
    let live = Live { config, source: source?, until, readiness };
    Box::pin(drain.run_until_cancelled(live.run())).await.unwrap_or(Ok(()))
}

/// Looks at Django's tables.
async fn open_django(config: &MirrorConfig, access: Access) -> anyhow::Result<Django> {
    let django = Django::open(config.to.expose(), config.tables.tables(), access).await;
    django.map_err(|error| explain(error, TO))
}

/// While Django posts, it would give out ids that Natter gives too.
fn refuse_if_ids_would_meet(django: &Django, until: Until) -> Result<(), Misconfigured> {
    if until == Until::Stopped && django.counts_on_from_the_highest() {
        let trouble = "SQLite gives each new row an id above all that are there, so a Django that still posts would take \
                       Natter's; mirror into Postgres, or stop Django and use --once or --finish";
        return Err(Misconfigured::new(TO, trouble));
    }
    Ok(())
}
