//! A NATS server with JetStream.

use std::net::{Ipv4Addr, TcpStream};

use crate::ports::free_port;
use crate::process::{Launch, Process};
use crate::programs::nats_server;
use crate::wait::until;

/// A NATS server with its own folder and port, which it keeps when it is started again.
#[derive(Debug)]
pub struct NatsServer {
    process: Option<Process>,
    port: u16,
    folder: tempfile::TempDir,
}

impl NatsServer {
    /// One that does not run yet: [`start`](Self::start) it.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // A message is acknowledged once it is on disk.
        let configuration = format!(
            "jetstream {{ store_dir: {:?}, sync_interval: always }}\n",
            folder.path().join("jetstream").display().to_string()
        );
        std::fs::write(folder.path().join("nats.conf"), configuration).expect("a file in the temporary folder");
        Self { process: None, port: free_port(), folder }
    }

    /// One that answers.
    pub async fn started() -> Self {
        let mut server = Self::new();
        server.start().await;
        server
    }

    /// Where it listens, or will.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Starts it, on what it stored before, and waits until it answers.
    pub async fn start(&mut self) {
        let process = Launch::new("nats-server", &nats_server())
            .arguments(["--addr", "127.0.0.1", "--port", &self.port.to_string()])
            .argument("--config")
            .argument(self.folder.path().join("nats.conf"))
            .start(self.folder.path());
        self.process = Some(process);
        until("the NATS server listens", async || TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()).await;
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }
}

impl Default for NatsServer {
    fn default() -> Self {
        Self::new()
    }
}
