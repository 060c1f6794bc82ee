//! A Redis server.

use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;

use crate::ports::free_port;
use crate::process::{Launch, Process};
use crate::programs::redis_program;
use crate::wait::until;

/// A Redis server with its own folder and port, which it keeps when it is started again.
#[derive(Debug)]
pub struct Redis {
    process: Option<Process>,
    port: u16,
    settings: Vec<String>,
    folder: tempfile::TempDir,
}

impl Redis {
    /// One that does not run yet and keeps nothing on disk, as channel layers are: [`start`](Self::start) it.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { process: None, port: free_port(), settings: Vec::new(), folder }
    }

    /// With one more setting, such as `requirepass`.
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.extend([format!("--{name}"), value.to_owned()]);
        self
    }

    /// With every write on disk before it is answered, so that it comes back with what it had.
    pub fn durable(self) -> Self {
        self.setting("appendonly", "yes").setting("appendfsync", "always")
    }

    /// One that answers.
    pub async fn started() -> Self {
        let mut server = Self::new();
        server.start().await;
        server
    }

    /// Where it listens, or will.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// The port of [`url`](Self::url).
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it, empty or on what it has on disk, and waits until it listens.
    pub async fn start(&mut self) {
        let process = Launch::new("redis-server", &redis_program("redis-server"))
            .arguments(["--bind", "127.0.0.1", "--port", &self.port.to_string(), "--save", "", "--dir"])
            .argument(self.folder.path())
            .arguments(&self.settings)
            .start(self.folder.path());
        self.process = Some(process);
        until("Redis listens", async || TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()).await;
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

    /// What it answers to a command, one line each.
    ///
    /// # Panics
    /// If it does not run.
    pub fn query<'a>(&self, command: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let asked = Launch::new("redis-cli", &redis_program("redis-cli"))
            .arguments(["-p", &self.port.to_string(), "-e"])
            .arguments(command);
        asked.run().succeeded().lines().map(str::to_owned).collect()
    }
}

impl Default for Redis {
    fn default() -> Self {
        Self::new()
    }
}
