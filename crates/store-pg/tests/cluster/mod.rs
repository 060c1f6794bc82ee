//! One Postgres server for all tests of a program, and a database of its own for each.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak, mpsc};
use std::thread::JoinHandle;

use natter_tests::servers::postgres::Postgres;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// A running server. It ends when the last test lets go of it.
pub(crate) struct Cluster {
    url: String,
    done: Option<mpsc::Sender<()>>,
    keeper: Option<JoinHandle<()>>,
}

impl Cluster {
    /// The server that is running, or a new one.
    pub(crate) fn shared() -> Arc<Self> {
        static RUNNING: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
        let mut running = RUNNING.lock().expect("no test dies while it starts the server");
        running.upgrade().unwrap_or_else(|| {
            let cluster = Arc::new(Self::start());
            *running = Arc::downgrade(&cluster);
            cluster
        })
    }

    /// The URL of a new, empty database.
    pub(crate) async fn database(&self) -> String {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", LAST.fetch_add(1, Ordering::Relaxed));
        let mut connection = PgConnection::connect(&self.url).await.expect("the server answers");
        let statement = AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::query(statement).execute(&mut connection).await.expect("the server makes a database");
        self.url.replace("/postgres?", &format!("/{name}?"))
    }

    /// The server dies with the thread that started it, which therefore must not be one test's own.
    fn start() -> Self {
        let (started, url) = mpsc::channel();
        let (done, rest) = mpsc::channel::<()>();
        let keeper = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            let server = runtime.block_on(Postgres::started());
            started.send(server.url()).expect("somebody waits for the server");
            rest.recv().expect_err("nobody says anything: the channel just closes");
            drop(server);
        });
        Self { url: url.recv().expect("the server starts"), done: Some(done), keeper: Some(keeper) }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.done.take());
        if let Some(keeper) = self.keeper.take() {
            keeper.join().expect("the server ends");
        }
    }
}
