//! Several processes of authz and persistence behind one name, as in Kubernetes: each gets its share of the calls of an edge,
//! also when one of them is killed and when one more comes, while connections become old all the time.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use futures_util::future::join_all;
use natter_tests::client::Client;
use natter_tests::deployment::{Deployment, authz, edge, persistence};
use natter_tests::fixture::World;
use natter_tests::ports::free_port;
use natter_tests::service::Service;
use natter_tests::stack::{Shape, Stack};
use natter_tests::wait::until;
use serde_json::json;

/// Who asks the edge at the same time.
const CALLERS: usize = 8;
/// What each of them asks, one after the other.
const QUESTIONS: usize = 60;

/// Names, and the addresses that they stand for.
struct Hosts {
    file: PathBuf,
    entries: BTreeMap<IpAddr, &'static str>,
}

impl Hosts {
    /// From now on the name stands for this address too.
    fn add(&mut self, name: &'static str, address: IpAddr) {
        self.entries.insert(address, name);
        let lines = self.entries.iter().map(|(address, name)| format!("{address} {name}\n"));
        std::fs::write(&self.file, lines.collect::<String>()).expect("a file in the temporary folder");
    }
}

/// An edge, and what it asks.
struct Scene {
    stack: Stack,
    hosts: Hosts,
    spare: Option<Service>,
    _folder: tempfile::TempDir,
}

fn loopback(last: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, last).into()
}

impl Scene {
    /// Three authz processes and two of persistence, each on an address of its own. A fourth authz can be started.
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let world = World::of_strangers();
        let mut deployment = Deployment::real();
        deployment.start_servers().await;
        deployment.prepare(world.first_sequence());
        deployment.import(&world).await;
        let (nats, database) = (deployment.servers().nats.url(), deployment.servers().postgres.url());
        let (authz_port, persistence_port) = (free_port(), free_port());
        let mut hosts = Hosts { file: folder.path().join("hosts"), entries: BTreeMap::new() };

        let old = |service: Service| service.setting("GRPC_CONNECTION_AGE_SECONDS", "1");
        let an_authz =
            |name, last| old(authz(name, folder.path(), &database, &nats)).host(loopback(last)).port(authz_port);
        let mut services = Vec::new();
        for (name, last) in [("authz-1", 2), ("authz-2", 3), ("authz-3", 4)] {
            hosts.add("authz.test", loopback(last));
            services.push(an_authz(name, last));
        }
        for (name, last) in [("persistence-1", 12), ("persistence-2", 13)] {
            hosts.add("persistence.test", loopback(last));
            let persistence = persistence(name, folder.path(), &database, &nats);
            services.push(old(persistence).host(loopback(last)).port(persistence_port));
        }
        let edge = edge("edge-1", folder.path(), authz_port, persistence_port, &nats)
            .setting("AUTHZ_URL", format!("http://authz.test:{authz_port}"))
            .setting("PERSISTENCE_URL", format!("http://persistence.test:{persistence_port}"))
            .setting("PEER_RESOLVE_SECONDS", "1")
            .hosts(&hosts.file);
        services.push(edge);
        deployment.services = services;
        deployment.start_services();
        deployment.is_ready().await;
        let spare = Some(an_authz("authz-4", 5));
        Self { stack: Stack::of(Shape::Real, &world, deployment), hosts, spare, _folder: folder }
    }

    /// So many authz processes say to the edge that they are ready.
    async fn has_authz(&self, n: usize) {
        let ready = "natter_peer_addresses{peer=\"natter.v1.Authz\",condition=\"ready\"}";
        until("the edge knows which authz processes are there", async || {
            let metrics = self.stack.deployment().await.service("edge-1").metrics().await;
            assert!(metrics.has(ready));
            (metrics.value(ready) == n as f64).then_some(())
        })
        .await;
    }

    /// Asks for the list of conversations many times, which asks authz and persistence each time. How many had no answer?
    async fn n_failed(&self, ana: &Client) -> usize {
        let callers = (0..CALLERS).map(async |_| {
            let mut n_failed = 0;
            for _ in 0..QUESTIONS {
                let answer = ana.get("/api/chat/conversations/").await;
                n_failed += usize::from(answer.status != 200);
            }
            n_failed
        });
        join_all(callers).await.into_iter().sum()
    }

    /// The calls that each of them was asked so far.
    async fn n_asked(&self, names: &[&str]) -> Vec<f64> {
        let mut deployment = self.stack.deployment().await;
        let mut all = Vec::new();
        for name in names {
            all.push(deployment.service(name).metrics().await.sum("natter_grpc_calls_total"));
        }
        all
    }

    /// None of many questions fails, and the calls that they cause are spread evenly over these.
    async fn shares_are_even(&self, ana: &Client, authz: &[&str]) {
        let persistence = ["persistence-1", "persistence-2"];
        let before = [self.n_asked(authz).await, self.n_asked(&persistence).await];
        assert_eq!(self.n_failed(ana).await, 0);
        let after = [self.n_asked(authz).await, self.n_asked(&persistence).await];
        for (before, after) in before.iter().zip(&after) {
            let got: Vec<f64> = before.iter().zip(after).map(|(before, after)| after - before).collect();
            let sum: f64 = got.iter().sum();
            let even = sum / got.len() as f64;
            println!("of {sum}: {got:?}");
            assert!(sum >= (CALLERS * QUESTIONS) as f64, "every question asks them: {got:?}");
            assert!(got.iter().all(|share| (share - even).abs() <= even * 0.2), "{got:?}");
        }
    }
}

#[tokio::test]
async fn each_gets_its_share_when_one_is_killed_and_when_one_comes() {
    let mut scene = Scene::start().await;
    let (ana, _bob) = scene.stack.two_in_a_chat().await;
    scene.has_authz(3).await;
    scene.shares_are_even(&ana, &["authz-1", "authz-2", "authz-3"]).await;

    // In the midst of it all. What is under way at that moment may fail, and nothing else.
    let (n_failed, ()) = tokio::join!(scene.n_failed(&ana), async {
        let before = scene.n_asked(&["authz-3"]).await[0];
        until("it has work", async || (scene.n_asked(&["authz-3"]).await[0] > before + 20.0).then_some(())).await;
        scene.stack.deployment().await.service("authz-3").kill();
    });
    println!("{n_failed} failed");
    assert!(n_failed <= CALLERS, "{n_failed} of {} failed", CALLERS * QUESTIONS);
    scene.has_authz(2).await;
    scene.shares_are_even(&ana, &["authz-1", "authz-2"]).await;

    let mut fourth = scene.spare.take().expect("it was not taken yet");
    fourth.start();
    fourth.is_ready().await;
    scene.stack.deployment().await.services.push(fourth);
    scene.hosts.add("authz.test", loopback(5));
    scene.has_authz(3).await;
    scene.shares_are_even(&ana, &["authz-1", "authz-2", "authz-4"]).await;
}

#[tokio::test]
async fn no_right_that_ends_is_missed_while_connections_become_old() {
    let scene = Scene::start().await;
    let (mut ana, mut bob) = scene.stack.two_in_a_chat().await;
    bob.hears(ana.says("hello").await).await;
    until("what is heard of rights has come over three connections", async || {
        let mut deployment = scene.stack.deployment().await;
        let log = deployment.service("edge-1").running().log();
        (log.matches("hearing of rights that end has to begin again").count() >= 2).then_some(())
    })
    .await;
    ana.post("/api/auth/logout-all/", &json!({})).await.expect_status(205);
    assert_eq!(ana.is_sent_away().await.code, 4001);
    bob.says("goodbye").await;
}
