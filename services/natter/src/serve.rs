//! Everything in one process: the same services as in several, on an embedded log and SQLite, over in-memory gRPC.

use std::io;
use std::num::NonZero;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use natter_authz::Authz;
use natter_edge::config::EdgeConfig;
use natter_edge::{BindError, CROWDED, Edge, Ports};
use natter_host::addresses::Addresses;
use natter_host::exit::Misconfigured;
use natter_host::grpc::{self, ConnectionAge, GrpcService};
use natter_host::lifecycle::Lifecycle;
use natter_host::limits::OpenFiles;
use natter_host::ops::Ops;
use natter_host::readiness::Readiness;
use natter_host::traces::Traces;
use natter_host::{listen, metrics, probe, settings, telemetry};
use natter_identity::minter::{Lifetimes, Minter};
use natter_keys::Keys;
use natter_log::embedded::Embedded;
use natter_log::port::Log as _;
use natter_model::id::Position;
use natter_persistence::fold::Fold;
use natter_persistence::history::History;
use natter_persistence::lag::Lag;
use natter_proto::v1::authz_server::AuthzServer;
use natter_proto::v1::messages_server::MessagesServer;
use natter_store::accounts::AccountStore;
use natter_store::messages::MessageStore;
use natter_store::sqlite::SqliteStore;
use tokio::io::DuplexStream;
use tokio::task;
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::cli::{Cli, ServeConfig};
use crate::folder::DataFolder;
use crate::greeting::{Accounts, Greeting};
use crate::{demo, in_process, signing};

/// Records that are stored in one transaction, at most.
const BATCH_RECORDS: NonZero<u16> = NonZero::new(500).expect("it is not zero");
/// What is waited for before it is ready.
const STORE: &str = "store";
const LOG: &str = "log";
const RIGHTS: &str = "rights";
const KEYS: &str = "keys";
const ROOM: &str = "room";

/// Runs until SIGTERM. `program` is what this program was started as.
pub(crate) async fn run(config: &ServeConfig, program: &str) -> anyhow::Result<()> {
    if config.host.probe {
        let unset = || Misconfigured::new("NATTER_OPS_LISTEN", "is not set; without it nobody can ask");
        return probe::ask(config.ops_listen.ok_or_else(unset)?);
    }
    let traces = Traces::open("natter", &config.host.traces)?;
    telemetry::init_with(&config.host.telemetry.clone().or_filter("warn"), &traces)?;
    let open_files = OpenFiles::raise();
    // Before anybody describes what they count.
    let metrics = config.ops_listen.map(|_| metrics::install()).transpose()?;
    let lifecycle = Lifecycle::from_signals(config.host.drain()).context("listening to signals")?;
    let folder = DataFolder::open(&config.data)?;
    let _lock = folder.lock()?;
    let makes_demo = folder.is_first_start() && !config.no_demo && config.listen.ip().is_loopback();
    // Begun here, because it takes longer than all the rest.
    let demo_hash = makes_demo.then(demo::hash);
    let key = signing::key(&config.tokens, &folder.signing_key())?;
    let keys = Keys::open(&config.tokens, Some(&key))?;
    let good_tokens = keys.tokens();
    let store = SqliteStore::open(&folder.store()).await.map_err(|error| folder.damaged(error))?;
    let store = Arc::new(store);
    let log = open_log(&folder, &store, config.first_sequence).await?;
    let log_path = folder.log();

    let (authz, authz_calls) = in_process::link();
    let (messages, messages_calls) = in_process::link();
    let edge_config = EdgeConfig { listen: config.listen, media_root: Some(folder.media()?), ..EdgeConfig::default() };
    let max_connections = open_files.connections(edge_config.max_connections);
    let edge_config =
        EdgeConfig { max_connections, dialect: config.dialect, limits: config.limits.clone(), ..edge_config };
    let edge = Edge::bind(edge_config, Ports { log: log.clone(), authz, messages, tokens: good_tokens.clone() }).await;
    let edge = edge.map_err(|error| refused(&folder, error))?;
    let ops = match config.ops_listen {
        Some(address) => Some(Ops::bind("NATTER_OPS_LISTEN", address).await?),
        None => None,
    };
    let accounts = accounts(config, &folder, &store, demo_hash).await?;

    let addresses = Addresses { listen: edge.address(), ops: ops.as_ref().map(Ops::address) };
    settings::log::<Cli>();
    addresses.announce(&config.host)?;
    open_files.tell();
    let readiness = Readiness::new(&[STORE, LOG, RIGHTS, KEYS], lifecycle.drain());
    let _probes = ops.zip(metrics).map(|(ops, metrics)| ops.serve(readiness.clone(), metrics));
    greet(config, &folder, addresses, accounts, program)?;

    let minter = Minter::expecting(&key, Lifetimes::default(), config.tokens.verifier_settings());
    let authz = Authz::new(store.clone(), minter, good_tokens.clone());
    let lag = Arc::new(Lag::default());
    let history = MessagesServer::new(History::new(log.clone(), log.clone(), store.clone(), lag.clone()));
    let fold = Fold::new(log.clone(), log.clone(), store.clone(), BATCH_RECORDS);
    let watched = store.clone();
    let running = lifecycle
        .run(async |drain, tasks| {
            // The edge needs them until its last socket is closed.
            let services = CancellationToken::new();
            let (rights, told, ended) = (authz.clone(), log.clone(), services.clone());
            tasks.spawn(async move { rights.follow_rights(told, ended).await });
            tasks.spawn(serve(AuthzServer::new(authz), authz_calls, readiness.clone(), services.clone()));
            tasks.spawn(serve(history, messages_calls, readiness.clone(), services.clone()));
            tasks.spawn(fold.run(services.clone()));
            tasks.spawn(lag.watch(log.clone(), log.clone(), services.clone()));
            let (watched_log, ready) = (log.clone(), readiness.clone());
            tasks.spawn(async move { ready.watch(LOG, async || watched_log.oldest().await.map(drop)).await });
            tasks.spawn(keys.follow(services.clone()));
            let ready = readiness.clone();
            tasks.spawn(async move { ready.wait_for(KEYS, async || good_tokens.is_complete()).await });
            let (ready, is_crowded) = (readiness.clone(), edge.is_crowded());
            tasks.spawn(async move { ready.follow(ROOM, is_crowded, CROWDED).await });
            let (ready, known) = (readiness.clone(), edge.knows_rights());
            tasks.spawn(drain.clone().run_until_cancelled_owned(async move {
                known.await;
                ready.ready(RIGHTS);
            }));
            tasks.spawn(async move { readiness.watch(STORE, || AccountStore::ready(&*watched)).await });
            let outcome = tokio::select! {
                () = edge.serve(drain, tasks) => Ok(()),
                () = log.failed() => Err(anyhow!("{} cannot be written any more; make room on the disk, then start again", log_path.display())),
            };
            services.cancel();
            outcome
        });
    // Some kilobytes of everything's state.
    Box::pin(running).await?;
    store.close().await;
    Ok(())
}

async fn open_log(folder: &DataFolder, store: &SqliteStore, first: u64) -> anyhow::Result<Arc<Embedded>> {
    // A log that is lost or new must not give out ids that the store knows already.
    let highest = store.highest().await.map_err(|error| folder.damaged(error))?;
    let first = Position::new(first.max(highest.get() + 1));
    let path = folder.log();
    let log = task::spawn_blocking(move || Embedded::open(&path, first)).await?;
    let log = log.map_err(|error| folder.damaged(error))?;
    // One that is there already may be older than the store: put back from a copy, say.
    log.expect_at_least(highest);
    if let Err(error) = log.oldest().await {
        error!(%error, path = %folder.log().display(), "messages can be read, but not sent");
    }
    Ok(Arc::new(log))
}

/// Makes the demo accounts where they belong, and keeps them from the network.
async fn accounts(
    config: &ServeConfig,
    folder: &DataFolder,
    store: &SqliteStore,
    demo_hash: Option<task::JoinHandle<String>>,
) -> anyhow::Result<Accounts> {
    let is_first_start = folder.is_first_start();
    let accounts = match demo_hash {
        Some(hash) => {
            demo::create(store, &hash.await?).await?;
            Accounts::DemoMade
        }
        None if is_first_start => Accounts::None,
        None if !config.listen.ip().is_loopback() && demo::is_open(store).await? => {
            let trouble = format!(
                "{} would open the demo accounts, whose password is known, to others; listen on 127.0.0.1, or name another NATTER_DATA",
                config.listen
            );
            return Err(Misconfigured::new("NATTER_LISTEN", trouble).into());
        }
        None if demo::is_there(store).await? => Accounts::DemoThere,
        None => Accounts::Others,
    };
    folder.finish_first_start().map_err(|error| folder.damaged(error))?;
    Ok(accounts)
}

fn greet(
    config: &ServeConfig,
    folder: &DataFolder,
    addresses: Addresses,
    accounts: Accounts,
    program: &str,
) -> Result<(), Misconfigured> {
    let own_key = config.tokens.signing_key()?.is_none().then(|| folder.signing_key());
    let greeting = Greeting {
        listen: addresses.listen,
        ops: addresses.ops,
        data: folder.path(),
        signing_key: own_key.as_deref(),
        accounts,
        program,
    };
    greeting.say();
    Ok(())
}

async fn serve<S: GrpcService>(
    service: S,
    calls: impl Stream<Item = io::Result<DuplexStream>>,
    readiness: Readiness,
    drain: CancellationToken,
) {
    grpc::serve(service, calls, &readiness, ConnectionAge::UNLIMITED, drain).await;
}

fn refused(folder: &DataFolder, error: BindError) -> Misconfigured {
    match error {
        BindError::Address { address, source } => listen::refused("NATTER_LISTEN", address, &source),
        BindError::MediaRoot { source, .. } => folder.damaged(source),
    }
}
