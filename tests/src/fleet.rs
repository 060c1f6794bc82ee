//! Django and Natter side by side, in one conversation, as docs/migrating-from-django.md brings them there.

use crate::deployment::{Deployment, mirror, redis_adapters};
use crate::django::{Django, Layer};
use crate::fixture::World;
use crate::guide::Guide;
use crate::process::Finished;
use crate::servers::redis::Redis;
use crate::service::Service;
use crate::stack::{Shape, Stack};

/// A Django that chats, beside a Natter that shall take its place.
#[derive(Debug)]
pub struct Fleet {
    /// What the users have today.
    pub django: Django,
    /// What they shall have.
    pub natter: Stack,
    /// The channel layer of both.
    pub redis: Redis,
    /// What joins the one to the other.
    pub adapters: Vec<Service>,
    /// What writes Natter's messages into Django's tables, if it was [started](Self::starts_the_mirror).
    pub mirror: Option<Service>,
    guide: Guide,
    django_database: String,
    folder: tempfile::TempDir,
}

impl Fleet {
    /// Both run and hear each other. The channel layer is encrypted if there are `keys`.
    pub async fn start(world: &World, layer: Layer, keys: &str) -> Self {
        let redis = Redis::started().await;
        let mut deployment = Deployment::real();
        deployment.start_servers().await;
        let django_database = deployment.servers().postgres.create_database("django");
        let mut django = Django::new(&django_database, layer, &redis).setting("CHANNEL_KEYS", keys).with(world);
        django.start().await;

        let guide = Guide::of("migrating-from-django.md");
        follow(&guide, "1.", &deployment, &django_database).succeeded();
        follow(&guide, "2.", &deployment, &django_database).succeeded();
        deployment.start_services();
        deployment.is_ready().await;

        let folder = tempfile::tempdir().expect("a temporary folder");
        let as_django_has_it = |adapter: Service| {
            adapter
                .setting("CHANNEL_LAYER", layer.name())
                .setting("CHANNEL_KEYS", keys)
                .setting("CHANNEL_CAPACITY", "1500")
                .setting("CHANNEL_EXPIRY_SECONDS", "10")
        };
        let adapters = redis_adapters(&mut deployment, folder.path(), &redis).into_iter();
        let mut adapters: Vec<Service> = adapters.map(as_django_has_it).collect();
        for adapter in &mut adapters {
            adapter.start();
        }
        for adapter in &mut adapters {
            adapter.is_ready().await;
        }
        let natter = Stack::of(Shape::Real, world, deployment);
        Self { django, natter, redis, adapters, mirror: None, guide, django_database, folder }
    }

    /// Runs the commands of a section of the guide.
    pub async fn follows(&self, section: &str) -> Finished {
        follow(&self.guide, section, &*self.natter.deployment().await, &self.django_database)
    }

    /// Starts what writes Natter's messages into Django's tables, and waits until it is at it.
    pub async fn starts_the_mirror(&mut self) {
        let mirror = mirror(&*self.natter.deployment().await, self.folder.path(), &self.django_database);
        let mirror = self.mirror.insert(mirror);
        mirror.start();
        mirror.is_ready().await;
    }
}

fn follow(guide: &Guide, section: &str, deployment: &Deployment, django_database: &str) -> Finished {
    let shell = guide.commands(section).variable("DJANGO_DATABASE_URL", django_database);
    deployment.pointed_at(shell).run()
}
