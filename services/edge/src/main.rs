//! The edge program: reads its settings, connects NATS, authz and persistence, serves clients.

mod highest;
mod settings;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use natter_edge::{BindError, CROWDED, Edge, Ports};
use natter_host::addresses::Addresses;
use natter_host::exit::{self, Misconfigured};
use natter_host::lifecycle::Lifecycle;
use natter_host::limits::OpenFiles;
use natter_host::ops::Ops;
use natter_host::peer::Peer;
use natter_host::readiness::Readiness;
use natter_host::traces::Traces;
use natter_host::{cli, listen, metrics, probe, telemetry};
use natter_keys::Keys;
use natter_log::port::Log as _;
use natter_proto::v1::authz_server;
use natter_proto::v1::messages_server;

use crate::settings::Settings;

const NATS: &str = "nats";
const AUTHZ: &str = "authz";
/// That authz has told which rights have ended.
const RIGHTS: &str = "rights";
const PERSISTENCE: &str = "persistence";
/// That every place which keys of tokens come from has given some.
const KEYS: &str = "keys";
const ROOM: &str = "room";

#[tokio::main]
async fn main() -> ExitCode {
    exit::report("natter-edge", Box::pin(run(cli::parse())).await)
}

async fn run(mut settings: Settings) -> anyhow::Result<()> {
    #[cfg(feature = "failpoints")]
    let _failpoints = fail::FailScenario::setup();
    if settings.host.probe {
        return probe::ask(settings.ops_listen);
    }
    let traces = Traces::open("natter-edge", &settings.host.traces)?;
    telemetry::init_with(&settings.host.telemetry, &traces)?;
    let metrics = metrics::install()?;
    let open_files = OpenFiles::raise();
    let wanted = settings.edge.max_connections;
    settings.edge.max_connections = open_files.connections(wanted);
    let keys = Keys::open(&settings.tokens, settings.tokens.signing_key()?.as_ref())?;
    let good_tokens = keys.tokens();
    let authz = Peer::new("AUTHZ_URL", &settings.authz_url, authz_server::SERVICE_NAME, &settings.peers)?;
    let persistence =
        Peer::new("PERSISTENCE_URL", &settings.persistence_url, messages_server::SERVICE_NAME, &settings.peers)?;
    let log = Arc::new(settings.nats.connect("edge").await?);
    let link = log.state();

    let lifecycle = Lifecycle::from_signals(settings.host.drain()).context("listening to signals")?;
    let readiness = Readiness::new(&[NATS, AUTHZ, RIGHTS, PERSISTENCE, KEYS], lifecycle.drain());
    let ports =
        Ports { log: log.clone(), authz: authz.calls(), messages: persistence.calls(), tokens: good_tokens.clone() };
    let edge = Edge::bind(settings.edge, ports).await.map_err(refused)?;
    let ops = Ops::bind("EDGE_OPS_LISTEN", settings.ops_listen).await?;
    natter_host::settings::log::<Settings>();
    Addresses { listen: edge.address(), ops: Some(ops.address()) }.announce(&settings.host)?;
    open_files.tell_of(wanted, "EDGE_MAX_CONNECTIONS");
    let _probes = ops.serve(readiness.clone(), metrics);

    lifecycle
        .run(async |drain, tasks| {
            let nats = readiness.clone();
            tasks.spawn(async move { nats.watch(NATS, async || link.borrow().is_ready()).await });
            // Only waited for at the start: later the edge does well without them for a while, and an edge that was not
            // ready then would be taken out of service with all others.
            let ready = readiness.clone();
            tasks.spawn(async move { ready.wait_for(AUTHZ, async || authz.check().await).await });
            tasks.spawn(keys.follow(drain.clone()));
            let ready = readiness.clone();
            tasks.spawn(async move { ready.wait_for(KEYS, async || good_tokens.is_complete()).await });
            let (ready, rights) = (readiness.clone(), edge.knows_rights());
            tasks.spawn(drain.clone().run_until_cancelled_owned(async move {
                rights.await;
                ready.ready(RIGHTS);
            }));
            let ready = readiness.clone();
            tasks.spawn(async move {
                let is_met = async || {
                    persistence.check().await?;
                    // A log that is behind the store has lost its tail: this edge has not seen it, the store has.
                    log.expect_at_least(highest::ask(persistence.calls()).await?);
                    Ok::<_, String>(())
                };
                ready.wait_for(PERSISTENCE, is_met).await;
            });
            let (ready, is_crowded) = (readiness, edge.is_crowded());
            tasks.spawn(async move { ready.follow(ROOM, is_crowded, CROWDED).await });
            Box::pin(edge.serve(drain, tasks)).await;
            anyhow::Ok(())
        })
        .await
}

fn refused(error: BindError) -> Misconfigured {
    match error {
        BindError::Address { address, source } => listen::refused("EDGE_LISTEN", address, &source),
        BindError::MediaRoot { .. } => {
            Misconfigured::new("EDGE_MEDIA_ROOT", format!("{error}; name a folder that can be written"))
        }
    }
}
