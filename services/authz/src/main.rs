//! The authz program: reads its settings, connects Postgres and NATS, serves gRPC.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use natter_authz::Authz;
use natter_authz::config::AuthzConfig;
use natter_host::addresses::Addresses;
use natter_host::exit::{self, Misconfigured};
use natter_host::grpc::GrpcListener;
use natter_host::lifecycle::Lifecycle;
use natter_host::limits::OpenFiles;
use natter_host::ops::Ops;
use natter_host::readiness::Readiness;
use natter_host::traces::Traces;
use natter_host::{cli, metrics, probe, settings, telemetry};
use natter_identity::minter::Minter;
use natter_keys::Keys;
use natter_proto::v1::authz_server::AuthzServer;
use natter_store::accounts::AccountStore as _;
use natter_store_pg::PgAccounts;

const POSTGRES: &str = "postgres";

#[tokio::main]
async fn main() -> ExitCode {
    exit::report("natter-authz", run(&cli::parse()).await)
}

async fn run(config: &AuthzConfig) -> anyhow::Result<()> {
    if config.host.probe {
        return probe::ask(config.ops_listen);
    }
    let traces = Traces::open("natter-authz", &config.host.traces)?;
    telemetry::init_with(&config.host.telemetry, &traces)?;
    let metrics = metrics::install()?;
    let open_files = OpenFiles::raise();
    let key = config.tokens.require_signing_key()?;
    let keys = Keys::open(&config.tokens, Some(&key))?;
    let store = PgAccounts::connect_lazy(config.database_url.expose())
        .map_err(|error| Misconfigured::new("AUTHZ_DATABASE_URL", error))?;
    let store = Arc::new(store);
    let log = Arc::new(config.nats.connect("authz").await?);
    let lifecycle = Lifecycle::from_signals(config.host.drain()).context("listening to signals")?;
    let readiness = Readiness::new(&[POSTGRES], lifecycle.drain());
    let grpc = GrpcListener::bind("AUTHZ_LISTEN", config.listen).await?;
    let ops = Ops::bind("AUTHZ_OPS_LISTEN", config.ops_listen).await?;
    settings::log::<AuthzConfig>();
    Addresses { listen: grpc.address(), ops: Some(ops.address()) }.announce(&config.host)?;
    open_files.tell();
    let _probes = ops.serve(readiness.clone(), metrics);

    let minter = Minter::expecting(&key, config.lifetimes(), config.tokens.verifier_settings());
    let authz = Authz::new(store.clone(), minter, keys.tokens());
    lifecycle
        .run(async |drain, tasks| {
            let (followed, drained) = (authz.clone(), drain.clone());
            // Not waited for: without NATS only removed participants stay unannounced for a while.
            tasks.spawn(async move { followed.follow_rights(log, drained).await });
            // Nor this: the tokens that it signs itself are known without.
            tasks.spawn(keys.follow(drain.clone()));
            let watched = readiness.clone();
            tasks.spawn(async move { watched.watch(POSTGRES, || store.ready()).await });
            grpc.serve(AuthzServer::new(authz), &readiness, config.grpc.connection_age(), drain).await;
            anyhow::Ok(())
        })
        .await
}
