//! NATS servers with JetStream, alone or as a cluster.

use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};

use crate::ports::free_port;
use crate::process::{Launch, Process};
use crate::programs::nats_server;
use crate::servers::guard::Guard;
use crate::wait::until;

/// A NATS server with its own folder and port, which it keeps when it is started again.
#[derive(Debug)]
pub struct NatsServer {
    process: Option<Process>,
    scheme: &'static str,
    port: u16,
    folder: tempfile::TempDir,
}

/// Several servers that keep one log, each record on all of them.
#[derive(Debug)]
pub struct NatsCluster {
    /// Its members.
    pub servers: Vec<NatsServer>,
}

impl NatsServer {
    /// One that does not run yet: [`start`](Self::start) it.
    pub fn new() -> Self {
        Self::configured("")
    }

    /// One that does not run yet, and that lets in only whom it knows.
    pub fn guarded(guard: &Guard) -> Self {
        Self { scheme: "tls", ..Self::configured(&guard.configuration()) }
    }

    fn configured(more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // A message is acknowledged once it is on disk.
        let configuration = format!(
            "jetstream {{ store_dir: {:?}, sync_interval: always }}\n{more}",
            store(folder.path()).display().to_string()
        );
        std::fs::write(folder.path().join("nats.conf"), configuration).expect("a file in the temporary folder");
        Self { process: None, scheme: "nats", port: free_port(), folder }
    }

    /// One that answers.
    pub async fn started() -> Self {
        let mut server = Self::new();
        server.start().await;
        server
    }

    /// Where it listens, or will.
    pub fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.port)
    }

    /// The port of [`url`](Self::url).
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where its log is.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where JetStream keeps its files.
    pub fn store(&self) -> PathBuf {
        store(self.folder.path())
    }

    /// Starts it, on what it stored before, and waits until it answers.
    pub async fn start(&mut self) {
        self.launch();
        until("the NATS server listens", async || TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()).await;
    }

    fn launch(&mut self) {
        let process = Launch::new("nats-server", &nats_server())
            .arguments(["--addr", "127.0.0.1", "--port", &self.port.to_string()])
            .argument("--config")
            .argument(self.folder.path().join("nats.conf"))
            .start(self.folder.path());
        self.process = Some(process);
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    pub async fn terminate(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.terminate();
            process.ends().await;
        }
    }

    /// The process it runs as, if it runs.
    pub fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }
}

impl Default for NatsServer {
    fn default() -> Self {
        Self::new()
    }
}

impl NatsCluster {
    /// So many servers that do not run yet; a single one is no cluster, but behaves like one.
    pub fn new(n_servers: usize) -> Self {
        if n_servers == 1 {
            return Self { servers: vec![NatsServer::new()] };
        }
        let ports: Vec<u16> = (0..n_servers).map(|_| free_port()).collect();
        let routes: Vec<String> = ports.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
        let member = |(number, port)| {
            // Not advertised, so that a client stays with the addresses that it was given.
            NatsServer::configured(&format!(
                "server_name: nats-{}\ncluster {{ name: natter, listen: \"127.0.0.1:{port}\", no_advertise: true, \
                 routes: [{}] }}\n",
                number + 1,
                routes.join(", ")
            ))
        };
        Self { servers: ports.iter().enumerate().map(member).collect() }
    }

    /// Starts those that do not run.
    pub async fn start(&mut self) {
        for server in &mut self.servers {
            if server.process.is_none() {
                server.start().await;
            }
        }
    }

    /// Where its clients connect.
    pub fn url(&self) -> String {
        self.servers.iter().map(NatsServer::url).collect::<Vec<_>>().join(",")
    }
}

fn store(folder: &Path) -> PathBuf {
    folder.join("jetstream")
}
