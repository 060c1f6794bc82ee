//! The adapter program: reads its settings, connects Redis, NATS and authz, and relays between them.

use std::cell::Cell;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use natter_host::addresses::Addresses;
use natter_host::exit::{self, Misconfigured};
use natter_host::lifecycle::Lifecycle;
use natter_host::limits::OpenFiles;
use natter_host::ops::Ops;
use natter_host::peer::Peer;
use natter_host::readiness::Readiness;
use natter_host::traces::Traces;
use natter_host::{cli, metrics, probe, settings, telemetry};
use natter_log::port::LogError;
use natter_log_nats::JetStream;
use natter_model::id::ConversationId;
use natter_proto::v1::{authz_server, messages_server};
use natter_redis_adapter::bridge::Bridge;
use natter_redis_adapter::config::AdapterConfig;
use natter_redis_adapter::layer::Layer;
use natter_redis_adapter::start;
use tokio_util::sync::CancellationToken;

const NATS: &str = "nats";
const REDIS: &str = "redis";
const AUTHZ: &str = "authz";
const PERSISTENCE: &str = "persistence";
/// That the groups of all conversations are joined, and it is known from where the log is to be told.
const GROUPS: &str = "groups";
/// That Django's ids stay below Natter's.
const IDS: &str = "ids";

#[tokio::main]
async fn main() -> ExitCode {
    exit::report("natter-redis-adapter", Box::pin(run(&cli::parse())).await)
}

async fn run(config: &AdapterConfig) -> anyhow::Result<()> {
    if config.host.probe {
        return probe::ask(config.ops_listen);
    }
    let traces = Traces::open("natter-redis-adapter", &config.host.traces)?;
    telemetry::init_with(&config.host.telemetry, &traces)?;
    let metrics = metrics::install()?;
    let open_files = OpenFiles::raise();
    let channels = config.channels.layer()?;
    let authz = Peer::new("AUTHZ_URL", &config.authz_url, authz_server::SERVICE_NAME, &config.peers)?;
    let persistence =
        Peer::new("PERSISTENCE_URL", &config.persistence_url, messages_server::SERVICE_NAME, &config.peers)?;
    let log = Arc::new(config.nats.connect("redis-adapter").await?);
    let (layer, inbox) = Layer::open(&channels).map_err(|error| Misconfigured::new("REDIS_URLS", error))?;

    let lifecycle = Lifecycle::from_signals(config.host.drain()).context("listening to signals")?;
    let readiness = Readiness::new(&[NATS, REDIS, AUTHZ, PERSISTENCE, GROUPS, IDS], lifecycle.drain());
    let ops = Ops::bind("REDIS_ADAPTER_OPS_LISTEN", config.ops_listen).await?;
    settings::log::<AdapterConfig>();
    Addresses { listen: ops.address(), ops: Some(ops.address()) }.announce(&config.host)?;
    open_files.tell();
    let _probes = ops.serve(readiness.clone(), metrics);

    lifecycle
        .run(async |drain, tasks| {
            let (link, ready) = (log.state(), readiness.clone());
            tasks.spawn(async move { ready.watch(NATS, async || link.borrow().is_ready()).await });
            let Some(first) = Box::pin(check(&log, &persistence, &readiness, &drain)).await? else { return Ok(()) };
            let (watched, ready) = (layer.clone(), readiness.clone());
            tasks.spawn(async move { ready.watch(REDIS, async || watched.position().await.map(drop)).await });
            let (asked, ready) = (authz.clone(), readiness.clone());
            // Only waited for at the start: later what is heard waits until it is back.
            tasks.spawn(async move { ready.wait_for(AUTHZ, async || asked.check().await).await });
            let bridge = Bridge::new(log, authz.calls(), (layer, inbox), &channels, first);
            let (begun, ready) = (bridge.has_begun(), readiness.clone());
            tasks.spawn(drain.clone().run_until_cancelled_owned(async move {
                begun.await;
                ready.ready(GROUPS);
            }));
            let (has_overlap, ready) = (bridge.has_overlap(), readiness.clone());
            tasks.spawn(async move {
                ready.follow(IDS, has_overlap, "Django gave an id that is Natter's; see the log of errors").await;
            });
            Box::pin(bridge.run(drain, &tasks)).await;
            anyhow::Ok(())
        })
        .await
}

/// Where the log begins, if ids of Django's cannot meet Natter's. `None`: the program ends before that is known.
async fn check(
    log: &JetStream,
    persistence: &Peer,
    readiness: &Readiness,
    drain: &CancellationToken,
) -> anyhow::Result<Option<ConversationId>> {
    let (first, highest) = (Cell::new(None), Cell::new(None));
    let ask = async || {
        persistence.check().await?;
        highest.set(Some(start::highest_of_django(persistence.calls()).await?));
        Ok::<_, String>(())
    };
    readiness.wait_for(PERSISTENCE, ask).await;
    let ask = async || {
        first.set(Some(log.first().await?));
        Ok::<_, LogError>(())
    };
    readiness.wait_for(NATS, ask).await;
    match (first.get(), highest.get()) {
        (Some(first), Some(highest)) if !drain.is_cancelled() => {
            let begins_at = start::check_ids(first, highest)?;
            readiness.ready(IDS);
            Ok(Some(begins_at))
        }
        _ => Ok(None),
    }
}
