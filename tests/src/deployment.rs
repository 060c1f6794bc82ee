//! Natter's processes and the servers they stand on, in either shape, not yet or already running.

use std::path::{Path, PathBuf};

use natter_store::sqlite::SqliteStore;
use natter_store_pg::{PgAccounts, PgMessages};

use crate::fixture::{SIGNING_KEY, World};
use crate::ports::free_port;
use crate::process::Launch;
use crate::programs::natter_program;
use crate::servers::guard::Guard;
use crate::servers::nats::NatsServer;
use crate::servers::postgres::Postgres;
use crate::servers::redis::Redis;
use crate::service::Service;

/// One deployment of Natter. Nothing of it runs until it is started.
#[derive(Debug)]
pub struct Deployment {
    /// Its processes: `natter`, or `authz`, `persistence-1`, `persistence-2`, `edge-1`, `edge-2`.
    pub services: Vec<Service>,
    servers: Option<Servers>,
    folder: tempfile::TempDir,
}

/// What the services stand on.
#[derive(Debug)]
pub struct Servers {
    /// The broker and log.
    pub nats: NatsServer,
    /// The stores.
    pub postgres: Postgres,
    guard: Option<Guard>,
}

impl Deployment {
    /// One process, which keeps everything in a folder. It makes no demo accounts.
    pub fn local(first_sequence: u64) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let natter = Service::new("natter", "natter", "NATTER", folder.path())
            .setting("NATTER_DATA", data_folder(folder.path()).display().to_string())
            .setting("NATTER_FIRST_SEQUENCE", first_sequence.to_string())
            .setting("SIGNING_KEY", SIGNING_KEY)
            .argument("--no-demo");
        let natter = generous(natter);
        Self { services: vec![natter], servers: None, folder }
    }

    /// Five processes, a broker and a database.
    pub fn real() -> Self {
        Self::on(NatsServer::new(), None)
    }

    /// The same with a broker that lets in only whom it knows, as in production.
    pub fn guarded() -> Self {
        let guard = Guard::new();
        Self::on(NatsServer::guarded(&guard), Some(guard))
    }

    fn on(nats: NatsServer, guard: Option<Guard>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let postgres = Postgres::new();
        let (nats_url, database) = (nats.url(), postgres.url());
        let authz_port = free_port();
        let mut services = vec![authz("authz", folder.path(), &database, &nats_url).port(authz_port)];
        for (persistence_name, edge_name) in [("persistence-1", "edge-1"), ("persistence-2", "edge-2")] {
            let port = free_port();
            services.extend([
                persistence(persistence_name, folder.path(), &database, &nats_url).port(port),
                edge(edge_name, folder.path(), authz_port, port, &nats_url),
            ]);
        }
        if let Some(guard) = &guard {
            services = services.into_iter().map(|service| introduced(service, guard)).collect();
        }
        Self { services, servers: Some(Servers { nats, postgres, guard }), folder }
    }

    /// With one more setting for each service whose name begins so.
    pub fn setting(mut self, name: &str, variable: &str, value: &str) -> Self {
        let services = self.services.into_iter();
        let set = |service: Service| match service.name().starts_with(name) {
            true => service.setting(variable, value),
            false => service,
        };
        self.services = services.map(set).collect();
        self
    }

    /// Starts the servers, if this shape has any.
    pub async fn start_servers(&mut self) {
        if let Some(servers) = &mut self.servers {
            servers.nats.start().await;
            servers.postgres.start().await;
        }
    }

    /// Makes the stream and the tables, if this shape has any, with a log that begins at `first_sequence`.
    pub fn prepare(&self, first_sequence: u64) {
        if self.servers.is_some() {
            self.natter(["provision", "--first-sequence", &first_sequence.to_string()]).run().succeeded();
            self.natter(["migrate"]).run().succeeded();
        }
    }

    /// Brings a world into the stores. Before the services start, but after [`prepare`](Self::prepare).
    pub async fn import(&self, world: &World) {
        if let Some(servers) = &self.servers {
            let url = servers.postgres.url();
            let accounts = PgAccounts::connect_lazy(&url).expect("the harness writes a good URL");
            let messages = PgMessages::connect_lazy(&url).expect("the harness writes a good URL");
            world.import(&accounts, &messages).await;
        } else {
            let folder = data_folder(self.folder.path());
            std::fs::create_dir_all(&folder).expect("a folder in the temporary folder");
            let store = SqliteStore::open(&folder.join("store.sqlite")).await.expect("a new store can be opened");
            world.import(&store, &store).await;
        }
    }

    /// Starts every service, without waiting.
    pub fn start_services(&mut self) {
        self.services.iter_mut().for_each(Service::start);
    }

    /// Waits until every service is ready.
    pub async fn is_ready(&mut self) {
        for service in &mut self.services {
            service.is_ready().await;
        }
    }

    /// `kill -9` of every service. The servers live on.
    pub fn kill_services(&mut self) {
        self.services.iter_mut().for_each(Service::kill);
    }

    /// The service of this name.
    pub fn service(&mut self, name: &str) -> &mut Service {
        let service = self.services.iter_mut().find(|service| service.name() == name);
        service.unwrap_or_else(|| panic!("there is no service {name} in this shape"))
    }

    /// The broker and the database.
    ///
    /// # Panics
    /// In the local shape, which has none.
    pub fn servers(&mut self) -> &mut Servers {
        self.servers.as_mut().expect("only the real shape has servers")
    }

    /// Where one process keeps everything.
    pub fn data(&self) -> PathBuf {
        data_folder(self.folder.path())
    }

    /// An admin command of `natter`, pointed at this deployment's broker and databases, or at its data folder.
    pub fn natter<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Launch {
        let arguments: Vec<&str> = arguments.into_iter().collect();
        let launch = self.pointed_at(Launch::new("natter-admin", &natter_program("natter")).arguments(&arguments));
        let Some(guard) = self.servers.as_ref().and_then(|servers| servers.guard.as_ref()) else { return launch };
        let user = match arguments.first() {
            Some(&"provision") => "provision",
            Some(&"mirror-django") => "mirror",
            _ => "admin",
        };
        guard.settings(user).into_iter().fold(launch, |launch, (variable, value)| launch.variable(variable, value))
    }

    /// With a key for this deployment's broker, if that lets in only whom it knows.
    fn lets_in(&self, service: Service) -> Service {
        match self.servers.as_ref().and_then(|servers| servers.guard.as_ref()) {
            Some(guard) => introduced(service, guard),
            None => service,
        }
    }

    /// A program that is told by its environment where this deployment's broker and databases are, or its data folder.
    pub fn pointed_at(&self, launch: Launch) -> Launch {
        match &self.servers {
            Some(servers) => launch
                .variable("NATS_URL", servers.nats.url())
                .variable("AUTHZ_DATABASE_URL", servers.postgres.url())
                .variable("PERSISTENCE_DATABASE_URL", servers.postgres.url()),
            None => launch.variable("NATTER_DATA", data_folder(self.folder.path()).display().to_string()),
        }
    }
}

/// An authz process, not started, with its files in `folder`.
pub fn authz(name: &'static str, folder: &Path, database_url: &str, nats_url: &str) -> Service {
    Service::new(name, "natter-authz", "AUTHZ", folder)
        .setting("AUTHZ_DATABASE_URL", database_url)
        .setting("NATS_URL", nats_url)
        .setting("SIGNING_KEY", SIGNING_KEY)
}

/// A persistence process, not started, with its files in `folder`.
pub fn persistence(name: &'static str, folder: &Path, database_url: &str, nats_url: &str) -> Service {
    Service::new(name, "natter-persistence", "PERSISTENCE", folder)
        .setting("PERSISTENCE_DATABASE_URL", database_url)
        .setting("NATS_URL", nats_url)
}

/// An edge process, not started, with its files in `folder`, which finds authz and persistence at these ports.
pub fn edge(name: &'static str, folder: &Path, authz_port: u16, persistence_port: u16, nats_url: &str) -> Service {
    let edge = Service::new(name, "natter-edge", "EDGE", folder)
        .setting("AUTHZ_URL", format!("http://127.0.0.1:{authz_port}"))
        .setting("PERSISTENCE_URL", format!("http://127.0.0.1:{persistence_port}"))
        .setting("NATS_URL", nats_url)
        .setting("SIGNING_KEY", SIGNING_KEY)
        .setting("EDGE_MEDIA_ROOT", folder.join("media").display().to_string());
    generous(edge)
}

/// Two adapters, not started, with their files in `folder`, between this deployment and a Redis. They do each thing once.
pub fn redis_adapters(deployment: &mut Deployment, folder: &Path, redis: &Redis) -> Vec<Service> {
    let [authz, persistence] =
        ["authz", "persistence-1"].map(|name| format!("http://{}", deployment.service(name).address()));
    let nats = deployment.servers().nats.url();
    let adapter = |name| {
        Service::new(name, "natter-redis-adapter", "REDIS_ADAPTER", folder)
            .setting("NATS_URL", &nats)
            .setting("AUTHZ_URL", &authz)
            .setting("PERSISTENCE_URL", &persistence)
            .setting("REDIS_URLS", redis.url())
    };
    let adapters = ["redis-adapter-1", "redis-adapter-2"].into_iter().map(adapter);
    adapters.map(|adapter| deployment.lets_in(adapter)).collect()
}

/// What writes this deployment's messages into Django's tables, not started, with its files in `folder`.
pub fn mirror(deployment: &Deployment, folder: &Path, django_database: &str) -> Service {
    let mirror = Service::new("mirror", "natter", "MIRROR", folder)
        .argument("mirror-django")
        .setting("DJANGO_DATABASE_URL", django_database);
    let Some(servers) = &deployment.servers else { return mirror };
    let mirror = mirror
        .setting("NATS_URL", servers.nats.url())
        .setting("AUTHZ_DATABASE_URL", servers.postgres.url())
        .setting("PERSISTENCE_DATABASE_URL", servers.postgres.url());
    deployment.lets_in(mirror)
}

/// With the key of its NATS user, which is called like its program.
fn introduced(service: Service, guard: &Guard) -> Service {
    let user = service.name().trim_end_matches(|end: char| end == '-' || end.is_ascii_digit()).to_owned();
    guard.settings(&user).into_iter().fold(service, |service, (variable, value)| service.setting(variable, value))
}

fn data_folder(folder: &Path) -> PathBuf {
    folder.join("data")
}

/// Programs say more in a second than people in a minute.
fn generous(edge: Service) -> Service {
    ["EDGE_FRAMES_PER_SECOND", "EDGE_FRAMES_BURST", "EDGE_USER_REQUESTS_PER_SECOND", "EDGE_USER_REQUESTS_BURST"]
        .into_iter()
        .fold(edge, |edge, limit| edge.setting(limit, "1000000"))
}
