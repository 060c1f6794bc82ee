//! A Django chat whose users move to Natter, from before the first import on.

use crate::deployment::Deployment;
use crate::django::{Django, Layer};
use crate::fixture::World;
use crate::process::{Finished, Launch};
use crate::programs::python;
use crate::servers::postgres::query_at;
use crate::servers::redis::Redis;
use crate::stack::{Shape, Stack};

/// Where Natter's ids begin.
pub const FIRST: u64 = 1 << 40;

/// A Django chat, and a Natter that does not run yet.
#[derive(Debug)]
pub struct Move {
    /// Where it goes.
    pub natter: Deployment,
    /// Where it comes from: the URL of Django's database.
    pub database: String,
    site: Site,
}

/// What keeps Django's tables.
#[derive(Debug)]
pub struct Site {
    _django: Django,
    _folder: tempfile::TempDir,
}

impl Move {
    /// From SQLite into a data folder, or from Postgres into Postgres.
    pub async fn begins(shape: Shape, world: &World) -> Self {
        Self::begins_at(shape, world, FIRST).await
    }

    /// The same, with a log (if it is in NATS) that begins elsewhere.
    pub async fn begins_at(shape: Shape, world: &World, first: u64) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (natter, database) = match shape {
            Shape::Local => (Deployment::local(1), format!("sqlite:///{}/db.sqlite3", folder.path().display())),
            Shape::Real => {
                let mut natter = Deployment::real();
                natter.start_servers().await;
                natter.prepare(first);
                let database = natter.servers().postgres.create_database("django");
                (natter, database)
            }
        };
        // Nobody connects to its Redis.
        let django = Django::new(&database, Layer::Core, &Redis::new()).with(world);
        Self { natter, database, site: Site { _django: django, _folder: folder } }
    }

    /// `natter import-django`, with more arguments.
    pub fn command(&self, more: &[&str]) -> Launch {
        let arguments = ["import-django", "--from", &self.database];
        self.natter.natter(arguments.into_iter().chain(more.iter().copied()))
    }

    /// Runs it to its end.
    pub fn runs(&self, more: &[&str]) -> Finished {
        self.command(more).run()
    }

    /// Its report.
    pub fn succeeds(&self, more: &[&str]) -> String {
        self.runs(more).succeeded()
    }

    /// What it printed, and complained about.
    pub fn fails_with(&self, code: i32, more: &[&str]) -> (String, String) {
        let finished = self.runs(more);
        assert_eq!(finished.status.code(), Some(code), "{}{}", finished.stdout, finished.stderr);
        (finished.stdout, finished.stderr)
    }

    /// Somebody changes Django's tables.
    pub fn at_django(&self, sql: &str) {
        match self.database.strip_prefix("sqlite://") {
            None => drop(query_at(&self.database, sql)),
            Some(path) => {
                let program = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])";
                Launch::new("sqlite", &python()).arguments(["-c", program, path, sql]).run().succeeded();
            }
        }
    }

    /// Natter runs, and Django's tables are still there.
    pub async fn starts(mut self, shape: Shape, world: &World) -> (Stack, Site) {
        self.natter.start_services();
        self.natter.is_ready().await;
        (Stack::of(shape, world, self.natter), self.site)
    }
}

/// Each of the lines was printed.
///
/// # Panics
/// If one was not.
pub fn tells(printed: &str, lines: &[&str]) {
    for line in lines {
        assert!(printed.lines().any(|printed| printed == *line), "{line}\nis not in\n{printed}");
    }
}
