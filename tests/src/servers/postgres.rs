//! A Postgres server.

use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use crate::process::{Launch, Process, RunAs};
use crate::programs::postgres_program;
use crate::wait::until;

/// A Postgres server with its own folder, reached through a socket in it.
#[derive(Debug)]
pub struct Postgres {
    process: Option<Process>,
    run_as: Option<RunAs>,
    folder: tempfile::TempDir,
}

impl Postgres {
    /// One that does not run yet: [`start`](Self::start) it.
    pub fn new() -> Self {
        // Its socket's path may be 107 bytes long, so not below the target folder.
        let folder = tempfile::tempdir_in("/tmp").expect("a temporary folder");
        // Postgres refuses to run as root.
        let run_as = geteuid().is_root().then(unprivileged_user);
        if let Some(RunAs { user, group }) = run_as {
            std::os::unix::fs::chown(folder.path(), Some(user), Some(group)).expect("root can give a folder away");
        }
        let postgres = Self { process: None, run_as, folder };
        postgres
            .program("initdb")
            .arguments(["--no-sync", "--auth=trust", "--username=natter", "--encoding=UTF8", "--locale=C"])
            .argument("--no-instructions")
            .argument("--pgdata")
            .argument(postgres.data())
            .run()
            .succeeded();
        postgres
    }

    /// One that answers.
    pub async fn started() -> Self {
        let mut server = Self::new();
        server.start().await;
        server
    }

    /// Its database `postgres`, as a superuser without a password.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// A new and empty database in it; returns its URL.
    pub fn create_database(&self, name: &str) -> String {
        self.query(&format!("CREATE DATABASE {name}"));
        self.url_of(name)
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://natter@localhost/{database}?host={}", self.folder.path().display())
    }

    /// Starts it, on what it stored before, and waits until it answers.
    pub async fn start(&mut self) {
        let process = self
            .program("postgres")
            .argument("-D")
            .argument(self.data())
            .arguments(["-c", "listen_addresses=", "-c", "max_connections=200", "-c", "fsync=on", "-k"])
            .argument(self.folder.path())
            .start(self.folder.path());
        self.process = Some(process);
        until("Postgres answers", async || psql(&self.url(), "SELECT 1").run().status.success().then_some(())).await;
    }

    /// Ends it and all its connections at once, without tidying up: at its next start it recovers from its log.
    pub async fn crash(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.quit();
            process.ends().await;
        }
    }

    /// Asks it to end now (SIGINT), tidily, without waiting for its clients.
    pub async fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.interrupt();
            process.ends().await;
        }
    }

    /// `kill -9` of its first process; the others end when they notice.
    pub async fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let children = process.children();
            process.kill();
            until("the rest of Postgres has ended", async || {
                children.iter().all(|child| !Path::new(&format!("/proc/{child}")).exists()).then_some(())
            })
            .await;
        }
    }

    /// The process it runs as, if it runs.
    pub fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join(".s.PGSQL.5432")
    }

    /// Where its data and its log are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The rows that a query answers, columns separated by `|`.
    ///
    /// # Panics
    /// If Postgres does not take the query.
    pub fn query(&self, sql: &str) -> Vec<String> {
        query_at(&self.url(), sql)
    }

    fn program(&self, name: &str) -> Launch {
        Launch::new(name, &postgres_program(name)).run_as(self.run_as)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

impl Default for Postgres {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Killed, it would leave its children behind for a moment, who still write into the folder.
        if let Some(process) = &self.process {
            process.quit();
            while self.process.as_mut().is_some_and(|process| process.exit_status().is_none()) {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        }
    }
}

/// The same of whichever database has this URL.
///
/// # Panics
/// If Postgres does not take the query.
pub fn query_at(url: &str, sql: &str) -> Vec<String> {
    psql(url, sql).run().succeeded().lines().map(str::to_owned).collect()
}

fn psql(url: &str, sql: &str) -> Launch {
    Launch::new("psql", &postgres_program("psql"))
        .arguments(["--no-psqlrc", "--tuples-only", "--no-align", "-v", "ON_ERROR_STOP=1"])
        .arguments(["--dbname", url, "--command", sql])
}

/// The user that Debian's package made for it, else the one that owns nothing.
fn unprivileged_user() -> RunAs {
    let users = std::fs::read_to_string("/etc/passwd").expect("a list of users");
    let ids = |name: &str| {
        let fields: Vec<&str> =
            users.lines().map(|line| line.split(':').collect()).find(|user: &Vec<&str>| user[0] == name)?;
        Some(RunAs { user: fields.get(2)?.parse().ok()?, group: fields.get(3)?.parse().ok()? })
    };
    ids("postgres").or_else(|| ids("nobody")).expect("a user other than root")
}
