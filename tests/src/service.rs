//! One of Natter's programs, started, ready, killed, started again.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use serde::Deserialize;

use crate::metrics::Scrape;
use crate::process::{Launch, Process};
use crate::programs::natter_program;
use crate::wait::until;

/// Where a service listens: the two names of its settings, and the addresses once they are known.
#[derive(Debug, Clone, Deserialize)]
struct Addresses {
    listen: SocketAddr,
    ops: SocketAddr,
}

/// One of Natter's programs. It keeps its settings, folder and addresses when it is started again.
#[derive(Debug)]
pub struct Service {
    process: Option<Process>,
    launch: Launch,
    name: &'static str,
    listen_variable: String,
    ops_variable: String,
    folder: PathBuf,
    addresses: Option<Addresses>,
    host: IpAddr,
    port: u16,
}

impl Service {
    /// The program, whose settings begin with `prefix` (such as `EDGE`), with its files in `folder`.
    pub fn new(name: &'static str, program: &str, prefix: &str, folder: &Path) -> Self {
        Self {
            process: None,
            launch: Launch::new(name, &natter_program(program)),
            name,
            listen_variable: format!("{prefix}_LISTEN"),
            ops_variable: format!("{prefix}_OPS_LISTEN"),
            folder: folder.to_owned(),
            addresses: None,
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
        }
    }

    /// One more setting, by its environment variable.
    pub fn setting(mut self, variable: &str, value: impl Into<String>) -> Self {
        self.launch = self.launch.variable(variable, value);
        self
    }

    /// One more command line argument.
    pub fn argument(mut self, argument: &str) -> Self {
        self.launch = self.launch.argument(argument);
        self
    }

    /// On this port of the loopback address. Without this, on a free one.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// On this address of the machine.
    pub fn host(mut self, host: IpAddr) -> Self {
        self.host = host;
        self
    }

    /// With this file as its `/etc/hosts`.
    pub fn hosts(mut self, hosts: &Path) -> Self {
        self.launch = self.launch.hosts(hosts);
        self
    }

    /// On every address of the machine.
    pub fn everywhere(mut self) -> Self {
        self.host = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        self
    }

    /// Its name in logs: `edge-1`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Starts it, on the addresses it had before if it ran before. Does not wait for anything.
    pub fn start(&mut self) {
        self.start_with(&[]);
    }

    /// The same with more settings, for this time only.
    pub fn start_with(&mut self, settings: &[(&str, &str)]) {
        let listen = self.addresses.as_ref().map_or(SocketAddr::new(self.host, self.port), |known| known.listen);
        let ops = self.addresses.as_ref().map_or(SocketAddr::from(([127, 0, 0, 1], 0)), |known| known.ops);
        let file = self.addresses_file();
        std::fs::remove_file(&file).ok();
        let launch = settings.iter().fold(self.launch.clone(), |launch, (name, value)| launch.variable(name, *value));
        let launch = launch.variable(&self.listen_variable, listen.to_string());
        let launch = launch.variable(&self.ops_variable, ops.to_string()).argument("--addresses-file").argument(file);
        self.process = Some(launch.start(&self.folder));
    }

    /// Waits until it has bound its addresses.
    pub async fn is_bound(&mut self) {
        let what = format!("{} has bound its addresses", self.name);
        let addresses = until(&what, async || {
            self.is_alive();
            serde_json::from_slice(&std::fs::read(self.addresses_file()).ok()?).ok()
        })
        .await;
        self.addresses = Some(addresses);
    }

    /// Waits until it says that it is ready.
    pub async fn is_ready(&mut self) {
        self.is_bound().await;
        let what = format!("{} is ready", self.name);
        until(&what, async || {
            self.is_alive();
            (self.probe("readyz").await?.0 == 200).then_some(())
        })
        .await;
    }

    /// The status and body of a page of its ops address, such as `readyz`; `None` while nobody answers there.
    pub async fn probe(&self, page: &str) -> Option<(u16, String)> {
        let answer = reqwest::get(format!("http://{}/{page}", self.ops())).await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    }

    /// What it has counted.
    pub async fn metrics(&self) -> Scrape {
        let (status, text) = self.probe("metrics").await.expect("the ops address answers");
        assert_eq!(status, 200, "{text}");
        Scrape::of(&text)
    }

    /// Where it serves. Known once [`is_bound`](Self::is_bound).
    pub fn address(&self) -> SocketAddr {
        self.addresses.as_ref().expect("the service is bound").listen
    }

    /// Where its probes are. Known once [`is_bound`](Self::is_bound).
    pub fn ops(&self) -> SocketAddr {
        self.addresses.as_ref().expect("the service is bound").ops
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.running().kill();
        self.process = None;
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.running().terminate();
        let status = self.running().ends().await;
        self.process = None;
        status
    }

    /// The process it runs as.
    ///
    /// # Panics
    /// If it does not run.
    pub fn running(&mut self) -> &mut Process {
        self.process.as_mut().unwrap_or_else(|| panic!("{} does not run", self.name))
    }

    fn addresses_file(&self) -> PathBuf {
        self.folder.join(format!("{}.addresses.json", self.name))
    }

    fn is_alive(&mut self) {
        if let Some(status) = self.running().exit_status() {
            let log = self.running().log();
            panic!("{} ended ({status}):\n{log}", self.name);
        }
    }
}
