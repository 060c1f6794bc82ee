//! The Django chat of `tests/django`: its database, its Daphne, its clients.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::client::Client;
use crate::fixture::{SIGNING_KEY, World};
use crate::ports::free_port;
use crate::process::{Launch, Process};
use crate::programs::python;
use crate::servers::redis::Redis;
use crate::wait::until;

/// Over which of channels_redis' two layers Django's processes speak to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// `RedisChannelLayer`.
    Core,
    /// `RedisPubSubChannelLayer`.
    Pubsub,
}

/// A Django chat with tables of its own. Daphne does not run until it is [started](Self::start).
#[derive(Debug)]
pub struct Django {
    daphne: Option<Process>,
    port: u16,
    settings: Vec<(String, String)>,
    world: World,
    folder: tempfile::TempDir,
}

impl Layer {
    /// Its name in settings, Django's and the adapter's.
    pub fn name(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Pubsub => "pubsub",
        }
    }
}

impl Django {
    /// One with empty tables in this database (`postgres://…` or `sqlite:///…`), whose channel layer is in this Redis.
    pub fn new(database: &str, layer: Layer, redis: &Redis) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let django = Self { daphne: None, port: free_port(), settings: Vec::new(), world: World::default(), folder }
            .setting("PYTHONPATH", &project().display().to_string())
            .setting("DJANGO_SETTINGS_MODULE", "chatsite.settings")
            .setting("SECRET_KEY", SIGNING_KEY)
            .setting("DATABASE_URL", database)
            .setting("CHANNEL_LAYER", layer.name())
            .setting("REDIS_URLS", &redis.url());
        django.manage(["migrate", "--verbosity", "0"]).run().succeeded();
        django
    }

    /// With one more of the variables that its settings read.
    pub fn setting(mut self, variable: &str, value: &str) -> Self {
        self.settings.push((variable.to_owned(), value.to_owned()));
        self
    }

    /// With this world in its tables.
    pub fn with(mut self, world: &World) -> Self {
        let file = self.folder.path().join("world.json");
        std::fs::write(&file, world.for_django().to_string()).expect("a file in the temporary folder");
        self.manage(["loaddata", "--verbosity", "0"]).argument(file).run().succeeded();
        self.world = world.clone();
        self
    }

    /// An admin command.
    pub fn manage<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Launch {
        self.python("manage.py").argument(project().join("manage.py")).arguments(arguments)
    }

    /// Starts Daphne and waits until it listens.
    pub async fn start(&mut self) {
        let process = self
            .python("daphne")
            .arguments(["-m", "daphne", "--bind", "127.0.0.1", "--port", &self.port.to_string()])
            .argument("chatsite.asgi:application")
            .start(self.folder.path());
        self.daphne = Some(process);
        until("Daphne listens", async || TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()).await;
    }

    /// Asks Daphne to end and waits until it has.
    pub async fn stop(&mut self) {
        if let Some(mut daphne) = self.daphne.take() {
            daphne.terminate();
            daphne.ends().await;
        }
    }

    /// `kill -9` of Daphne.
    pub fn kill(&mut self) {
        if let Some(mut daphne) = self.daphne.take() {
            daphne.kill();
        }
    }

    /// Where Daphne listens, or will.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Somebody of its world with an access token, not connected.
    pub fn client(&self, username: &str) -> Client {
        let person = self.world.person(username);
        Client::at(self.address(), person.id, username, &person.access_token())
    }

    /// Puts an event into a group, as another process of Django would.
    pub fn tells_the_group(&self, group: &str, events: &[Value]) {
        let program = "import json, sys\n\
             from asgiref.sync import async_to_sync\n\
             from channels.layers import get_channel_layer\n\
             async def tell(group, events):\n\
             \x20   layer = get_channel_layer()\n\
             \x20   for event in events:\n\
             \x20       await layer.group_send(group, event)\n\
             async_to_sync(tell)(sys.argv[1], json.loads(sys.argv[2]))\n";
        let events = Value::from(events).to_string();
        self.python("group_send").arguments(["-c", program, group, &events]).run().succeeded();
    }

    fn python(&self, name: &str) -> Launch {
        let python = Launch::new(name, &python());
        self.settings.iter().fold(python, |python, (variable, value)| python.variable(variable, value))
    }
}

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("django")
}
