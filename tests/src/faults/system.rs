//! The whole system as processes, with a proxy in each line that can be cut.

use std::path::Path;
use std::time::Duration;

use natter_store_pg::{PgAccounts, PgMessages};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::deployment;
use crate::faults::disk::Disk;
use crate::faults::history::{Content, Mark, Row};
use crate::fixture::World;
use crate::ports::free_port;
use crate::process::Launch;
use crate::programs::natter_program;
use crate::proxy::{Proxy, Upstream};
use crate::servers::jetstream;
use crate::servers::nats::NatsCluster;
use crate::servers::postgres::Postgres;
use crate::service::Service;

const EDGES: [&str; 3] = ["edge-1", "edge-2", "edge-3"];
const AUTHZ: [&str; 3] = ["authz-1", "authz-2", "authz-3"];
const PERSISTENCE: [&str; 3] = ["persistence-1", "persistence-2", "persistence-3"];

/// How long to wait between two questions to another process.
const PAUSE: Duration = Duration::from_millis(100);
/// A test may lose a process at any time, but does not wait longer than this for one to come back.
pub const RECOVERY: Duration = Duration::from_secs(90);

/// How many there are of each, up to three.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct Size {
    pub n_edges: usize,
    pub n_authz: usize,
    pub n_persistence: usize,
    pub n_nats: usize,
}

/// Processes, servers, and the lines between them.
#[derive(Debug)]
pub struct System {
    /// The last NATS server's disk, where the machine lets us make one. First, because its folder goes with the server.
    pub disk: Option<Disk>,
    /// The edges.
    pub edges: Vec<Service>,
    /// The authz processes.
    pub authz: Vec<Service>,
    /// The persistence processes.
    pub persistence: Vec<Service>,
    /// The log.
    pub nats: NatsCluster,
    /// The store.
    pub postgres: Postgres,
    /// What can be cut.
    pub lines: Lines,
    folder: tempfile::TempDir,
}

/// The proxies, by the process at their near end (for clients: by the edge they lead to).
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Lines {
    pub client_edge: Vec<Proxy>,
    pub edge_nats: Vec<Vec<Proxy>>,
    pub edge_authz: Vec<Proxy>,
    pub edge_persistence: Vec<Proxy>,
    pub persistence_postgres: Vec<Proxy>,
}

impl System {
    /// Everything running and ready, with this world in the stores. Call it on the main thread.
    pub async fn start(size: Size, world: &World) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut nats = NatsCluster::new(size.n_nats);
        let disk = if size.n_nats > 1 { Disk::mount(&nats.servers[size.n_nats - 1].store()) } else { None };
        let mut postgres = Postgres::new();
        nats.start().await;
        postgres.start().await;
        let ports = |n: usize| -> Vec<u16> { (0..n).map(|_| free_port()).collect() };
        let (edge_ports, authz_ports, persistence_ports) =
            (ports(size.n_edges), ports(size.n_authz), ports(size.n_persistence));
        let nats_ports: Vec<u16> = nats.servers.iter().map(|server| server.port()).collect();
        let lines = Lines::open(&edge_ports, &authz_ports, &persistence_ports, &nats_ports, &postgres).await;

        let authz = authz_ports.iter().zip(AUTHZ);
        let authz =
            authz.map(|(&port, name)| deployment::authz(name, folder.path(), &postgres.url(), &nats.url()).port(port));
        let persistence = persistence_ports.iter().zip(&lines.persistence_postgres).zip(PERSISTENCE);
        let persistence = persistence.map(|((&port, line), name)| {
            let database = format!("postgres://natter@127.0.0.1:{}/postgres", line.port());
            deployment::persistence(name, folder.path(), &database, &nats.url()).port(port)
        });
        let edges = (0..size.n_edges).map(|number| {
            let urls: Vec<String> =
                lines.edge_nats[number].iter().map(|line| format!("nats://127.0.0.1:{}", line.port())).collect();
            let (authz, persistence) = (lines.edge_authz[number].port(), lines.edge_persistence[number].port());
            deployment::edge(EDGES[number], folder.path(), authz, persistence, &urls.join(","))
                .setting("EDGE_DRAIN_SPREAD_SECONDS", "2")
                // So that a few seconds' absence is made up for from the store.
                .setting("EDGE_WINDOW_FRAMES", "64")
                .port(edge_ports[number])
        });
        let (authz, persistence, edges) = (authz.collect(), persistence.collect(), edges.collect());
        let mut system = Self { disk, edges, authz, persistence, nats, postgres, lines, folder };
        system.prepare(size.n_nats, world).await;
        system.services().for_each(Service::start);
        for service in system.services() {
            service.is_ready().await;
        }
        system
    }

    async fn prepare(&self, n_replicas: usize, world: &World) {
        self.nats_meets().await;
        let url = self.postgres.url();
        let natter = |arguments: &[&str]| {
            Launch::new("natter-admin", &natter_program("natter"))
                .arguments(arguments)
                .variable("NATS_URL", self.nats.url())
                .variable("AUTHZ_DATABASE_URL", &url)
                .variable("PERSISTENCE_DATABASE_URL", &url)
                .run()
                .succeeded()
        };
        natter(&["provision", "--replicas", &n_replicas.to_string()]);
        natter(&["migrate"]);
        let accounts = PgAccounts::connect_lazy(&url).expect("the harness writes a good URL");
        let messages = PgMessages::connect_lazy(&url).expect("the harness writes a good URL");
        world.import(&accounts, &messages).await;
    }

    /// Every process of Natter's own.
    pub fn services(&mut self) -> impl Iterator<Item = &mut Service> {
        self.edges.iter_mut().chain(&mut self.authz).chain(&mut self.persistence)
    }

    /// Waits until a JetStream answers, and all that is known to it.
    async fn nats_meets(&self) {
        within("JetStream answers", async || {
            let answer = self.ask("INFO", "").await.ok()?;
            answer.get("limits").map(drop)
        })
        .await
        .expect("NATS servers find each other");
    }

    /// Asks JetStream's API at the first server that answers.
    pub async fn ask(&self, subject: &str, question: &str) -> Result<Value, String> {
        let mut refused = "no NATS server runs".to_owned();
        for server in self.nats.servers.iter().filter(|server| server.process().is_some()) {
            match jetstream::ask(server.port(), subject, question).await {
                Ok(answer) => return Ok(answer),
                Err(error) => refused = error.to_string(),
            }
        }
        Err(refused)
    }

    /// The number of the NATS server that leads the log.
    pub async fn log_leader(&self) -> Option<usize> {
        let stream = self.ask("STREAM.INFO.CHAT", "").await.ok()?;
        let name = stream["cluster"]["leader"].as_str()?;
        name.strip_prefix("nats-")?.parse::<usize>().ok()?.checked_sub(1)
    }

    /// Lets the log grow up to what it holds now (`true`), or without limit.
    pub async fn limit_log(&self, limited: bool) -> Result<(), String> {
        let stream = self.ask("STREAM.INFO.CHAT", "").await?;
        let mut config = stream["config"].clone();
        config["max_bytes"] = if limited { stream["state"]["bytes"].clone() } else { json!(-1) };
        self.ask("STREAM.UPDATE.CHAT", &config.to_string()).await.map(drop)
    }

    /// Waits until every process is ready and each server of the log has all of it; tells what is not.
    pub async fn recovers(&mut self) -> Result<(), String> {
        for number in 0..self.services().count() {
            let service = self.services().nth(number).expect("below the count");
            let name = service.name();
            let what = format!("{name} is ready");
            let ready = within(&what, async || (service.probe("readyz").await?.0 == 200).then_some(()));
            if let Err(late) = ready.await {
                let why = service.probe("readyz").await;
                return Err(format!("{late}; it says {why:?}"));
            }
            if let Some(status) = service.running().exit_status() {
                return Err(format!("{name} ended by itself: {status}"));
            }
        }
        self.log_is_whole().await
    }

    /// Waits until each server of the log has all of it.
    pub async fn log_is_whole(&self) -> Result<(), String> {
        within("every replica of the log is current", async || {
            let stream = self.ask("STREAM.INFO.CHAT", "").await.ok()?;
            let replicas = stream["cluster"]["replicas"].as_array().map_or(&[][..], Vec::as_slice);
            let is_current = |replica: &Value| replica["current"] == true && replica["offline"] != true;
            let is_whole = replicas.len() + 1 == self.nats.servers.len() && replicas.iter().all(is_current);
            is_whole.then_some(())
        })
        .await
    }

    /// Waits until persistence has applied and acknowledged all that is in the log.
    pub async fn store_is_whole(&self) -> Result<(), String> {
        within("everything is in the store", async || {
            let consumer = self.ask("CONSUMER.INFO.CHAT.persistence", "").await.ok()?;
            (consumer["num_pending"] == 0 && consumer["num_ack_pending"] == 0).then_some(())
        })
        .await
    }

    /// What the store has of the messages.
    pub fn rows(&self) -> Vec<Row> {
        let sql = "SELECT message_id, conversation_id, sender_id, is_deleted, content FROM persistence.messages \
                   WHERE conversation_id IS NOT NULL AND NOT is_resend ORDER BY message_id";
        self.postgres.query(sql).iter().map(|line| row(line)).collect()
    }

    /// What the store has of the read marks.
    pub fn marks(&self) -> Vec<Mark> {
        let lines = self.postgres.query("SELECT conversation_id, account_id, message_id FROM persistence.read_marks");
        let mark = |line: &String| {
            let mut columns = line.split('|').map(|column| column.parse::<u64>().expect("a number"));
            let mut next = || columns.next().expect("three columns");
            let (conversation, account, message) = (next(), next(), next());
            Mark { conversation, account: u32::try_from(account).expect("few accounts"), message }
        };
        lines.iter().map(mark).collect()
    }

    /// Copies what everything printed into this folder.
    pub fn keep_logs(&self, into: &Path) {
        let folders = self.nats.servers.iter().map(|server| server.folder());
        let folders = folders.chain([self.postgres.folder(), self.folder.path()]);
        for (number, folder) in folders.enumerate() {
            for file in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                if file.path().extension().is_some_and(|extension| extension == "log") {
                    let name = format!("{number}-{}", file.file_name().to_string_lossy());
                    std::fs::copy(file.path(), into.join(name)).ok();
                }
            }
        }
    }
}

impl Lines {
    async fn open(edges: &[u16], authz: &[u16], persistence: &[u16], nats: &[u16], postgres: &Postgres) -> Self {
        let to = |ports: &[u16]| ports.iter().copied().map(Upstream::Port).collect::<Vec<_>>();
        let mut lines = Self {
            client_edge: Vec::new(),
            edge_nats: Vec::new(),
            edge_authz: Vec::new(),
            edge_persistence: Vec::new(),
            persistence_postgres: Vec::new(),
        };
        for &edge in edges {
            lines.client_edge.push(Proxy::open(to(&[edge])).await);
            lines.edge_authz.push(Proxy::open(to(authz)).await);
            lines.edge_persistence.push(Proxy::open(to(persistence)).await);
            let mut servers = Vec::new();
            for &server in nats {
                servers.push(Proxy::open(to(&[server])).await);
            }
            lines.edge_nats.push(servers);
        }
        for _ in persistence {
            lines.persistence_postgres.push(Proxy::open(vec![Upstream::Socket(postgres.socket())]).await);
        }
        lines
    }
}

fn row(line: &str) -> Row {
    let mut columns = line.splitn(5, '|');
    let mut next = || columns.next().expect("five columns");
    let (message, conversation, account, is_deleted, content) = (next(), next(), next(), next(), next());
    Row {
        message: message.parse().expect("an id"),
        conversation: conversation.parse().expect("an id"),
        account: account.parse().expect("an id"),
        content: Content::of_text(content),
        is_deleted: is_deleted == "t",
    }
}

/// Asks until there is an answer, but not for ever.
pub async fn within<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> Result<T, String> {
    let deadline = Instant::now() + RECOVERY;
    loop {
        if let Ok(Some(answer)) = timeout(RECOVERY / 4, ask()).await {
            return Ok(answer);
        }
        if Instant::now() > deadline {
            return Err(format!("waited {RECOVERY:?} in vain until {what}"));
        }
        sleep(PAUSE).await;
    }
}
