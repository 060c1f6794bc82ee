//! A running Natter, shared by a story and its clients.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{Mutex, MutexGuard};

use crate::client::Client;
use crate::deployment::Deployment;
use crate::fixture::World;

/// In which shape Natter runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One process, embedded log, SQLite.
    Local,
    /// Five processes, NATS, Postgres.
    Real,
}

impl Shape {
    /// Natter in this shape, ready, with [`World::of_strangers`].
    pub async fn start(self) -> Stack {
        self.start_with(&World::of_strangers()).await
    }

    /// Natter in this shape, ready, with this world in its stores.
    pub async fn start_with(self, world: &World) -> Stack {
        self.start_deployment(world, self.deployment(world)).await
    }

    /// Natter in this shape, ready, with [`World::of_strangers`] and these settings: name of services, variable, value.
    pub async fn start_set(self, settings: &[(&str, &str, &str)]) -> Stack {
        self.start_with_set(&World::of_strangers(), settings).await
    }

    /// The same with this world.
    pub async fn start_with_set(self, world: &World, settings: &[(&str, &str, &str)]) -> Stack {
        let set = |deployment: Deployment, (name, variable, value): &(&str, &str, &str)| {
            deployment.setting(name, variable, value)
        };
        let deployment = settings.iter().fold(self.deployment(world), set);
        self.start_deployment(world, deployment).await
    }

    fn deployment(self, world: &World) -> Deployment {
        match self {
            Self::Local => Deployment::local(world.first_sequence()),
            Self::Real => Deployment::real(),
        }
    }

    async fn start_deployment(self, world: &World, mut deployment: Deployment) -> Stack {
        deployment.start_servers().await;
        deployment.prepare(world.first_sequence());
        deployment.import(world).await;
        deployment.start_services();
        deployment.is_ready().await;
        Stack::of(self, world, deployment)
    }
}

/// A running Natter. Clones are the same one; it ends with the last of them, and with the last of its clients.
#[derive(Debug, Clone)]
pub struct Stack {
    deployment: Arc<Mutex<Deployment>>,
    shape: Shape,
    world: Arc<World>,
    edges: Vec<SocketAddr>,
}

impl Stack {
    /// One process, with [`World::of_strangers`].
    pub async fn local() -> Self {
        Shape::Local.start().await
    }

    /// Five processes, NATS and Postgres, with [`World::of_strangers`].
    pub async fn real() -> Self {
        Shape::Real.start().await
    }

    /// A deployment that is ready, with this world in its stores.
    pub fn of(shape: Shape, world: &World, deployment: Deployment) -> Self {
        let is_edge = |name: &str| name == "natter" || name.starts_with("edge");
        let edges = deployment.services.iter().filter(|service| is_edge(service.name()));
        let edges = edges.map(|service| service.address()).collect();
        Self { deployment: Arc::new(Mutex::new(deployment)), shape, world: Arc::new(world.clone()), edges }
    }

    /// In which shape it runs.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Where an edge listens. Numbers go round: with one edge, all are the same.
    pub fn edge(&self, number: usize) -> SocketAddr {
        self.edges[number % self.edges.len()]
    }

    /// Somebody of its world with an access token, on the first edge, not connected.
    pub fn client(&self, username: &str) -> Client {
        let person = self.world.person(username);
        Client::with_token(self.clone(), person.id, username, &person.access_token())
    }

    /// An access token of somebody of its world that is good for so many seconds.
    pub fn access_token_lasting(&self, username: &str, seconds: u64) -> String {
        self.world.person(username).access_token_lasting(seconds)
    }

    /// `ana` and `bob` in a conversation of their own, both connected, on different edges where there are two.
    pub async fn two_in_a_chat(&self) -> (Client, Client) {
        let (mut ana, mut bob) = (self.client("ana"), self.client("bob").on_edge(1));
        let conversation = ana.starts_a_chat_with(&bob).await;
        ana.joins(conversation).await;
        bob.joins(conversation).await;
        (ana, bob)
    }

    /// Its processes and servers.
    pub async fn deployment(&self) -> MutexGuard<'_, Deployment> {
        self.deployment.lock().await
    }

    /// `kill -9` of every service at once.
    pub async fn crashes(&self) {
        self.deployment().await.kill_services();
    }

    /// Starts every service again, and waits until all are ready.
    pub async fn comes_back(&self) {
        let mut deployment = self.deployment().await;
        deployment.start_services();
        deployment.is_ready().await;
    }
}
