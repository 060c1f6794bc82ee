//! The persistence program: reads its settings, connects NATS and Postgres, folds and serves gRPC.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use natter_host::addresses::Addresses;
use natter_host::exit::{self, Misconfigured};
use natter_host::grpc::GrpcListener;
use natter_host::lifecycle::Lifecycle;
use natter_host::limits::OpenFiles;
use natter_host::ops::Ops;
use natter_host::readiness::Readiness;
use natter_host::traces::Traces;
use natter_host::{cli, metrics, probe, settings, telemetry};
use natter_log::port::Backlog as _;
use natter_log_nats::JetStream;
use natter_persistence::config::PersistenceConfig;
use natter_persistence::fold::Fold;
use natter_persistence::history::History;
use natter_persistence::lag::Lag;
use natter_proto::v1::messages_server::MessagesServer;
use natter_store::messages::MessageStore as _;
use natter_store_pg::PgMessages;

const NATS: &str = "nats";
const POSTGRES: &str = "postgres";

#[tokio::main]
async fn main() -> ExitCode {
    exit::report("natter-persistence", run(&cli::parse()).await)
}

async fn run(config: &PersistenceConfig) -> anyhow::Result<()> {
    #[cfg(feature = "failpoints")]
    let _failpoints = fail::FailScenario::setup();
    if config.host.probe {
        return probe::ask(config.ops_listen);
    }
    let traces = Traces::open("natter-persistence", &config.host.traces)?;
    telemetry::init_with(&config.host.telemetry, &traces)?;
    let metrics = metrics::install()?;
    let open_files = OpenFiles::raise();
    let store = PgMessages::connect_lazy(config.database_url.expose())
        .map_err(|error| Misconfigured::new("PERSISTENCE_DATABASE_URL", error))?;
    let store = Arc::new(store);
    let log = Arc::new(config.nats.connect("persistence").await?);
    let lifecycle = Lifecycle::from_signals(config.host.drain()).context("listening to signals")?;
    let readiness = Readiness::new(&[NATS, POSTGRES], lifecycle.drain());
    let grpc = GrpcListener::bind("PERSISTENCE_LISTEN", config.listen).await?;
    let ops = Ops::bind("PERSISTENCE_OPS_LISTEN", config.ops_listen).await?;
    settings::log::<PersistenceConfig>();
    Addresses { listen: grpc.address(), ops: Some(ops.address()) }.announce(&config.host)?;
    open_files.tell();
    let _probes = ops.serve(readiness.clone(), metrics);

    let lag = Arc::new(Lag::default());
    let history = History::new(log.clone(), log.clone(), store.clone(), lag.clone());
    let fold = Fold::new(log.clone(), log.clone(), store.clone(), config.batch_records);
    lifecycle
        .run(async |drain, tasks| {
            tasks.spawn(fold.run(drain.clone()));
            tasks.spawn(lag.watch(log.clone(), log.clone(), drain.clone()));
            let watched = readiness.clone();
            tasks.spawn(async move { watched.watch(NATS, || reach(&log)).await });
            let watched = readiness.clone();
            tasks.spawn(async move { watched.watch(POSTGRES, || store.ready()).await });
            grpc.serve(MessagesServer::new(history), &readiness, config.grpc.connection_age(), drain).await;
            anyhow::Ok(())
        })
        .await
}

/// The stream and its consumer are there.
async fn reach(log: &JetStream) -> Result<(), String> {
    log.state().borrow().is_ready().map_err(|waiting| waiting.to_string())?;
    log.floor().await.map(drop).map_err(|error| error.to_string())
}
