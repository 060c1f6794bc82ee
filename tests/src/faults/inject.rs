//! Doing a fault to the system, and undoing it.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::sleep;

use crate::faults::board::Board;
use crate::faults::kind::{Kind, Link, Tier};
use crate::faults::line::Line;
use crate::faults::schedule::Fault;
use crate::faults::system::{System, within};
use crate::fixture::Person;
use crate::proxy::{Cut, Proxy};
use crate::service::Service;

/// Clients that ask for everything and never read it, in one such fault.
const N_SLEEPERS: usize = 30;
/// What the kernel takes for each of them.
const SLEEPER_BYTES: u32 = 4096;

/// Does it, waits as long as it lasts, and undoes it. Returns to whom it was done. An error: something did not go as a
/// fault should, such as a SIGTERM that did not end in a clean exit.
pub async fn inject(system: &mut System, fault: Fault, board: &Board) -> Result<String, String> {
    let Fault { kind, which, length } = fault;
    match kind {
        Kind::Kill(tier) => restart(system, tier, which, length, Ending::Kill).await,
        Kind::Terminate(tier) => restart(system, tier, which, length, Ending::Terminate).await,
        Kind::Pause(tier) => pause(system, tier, which, length).await,
        Kind::KillLogLeader => {
            let leader = system.log_leader().await.ok_or("nobody leads the log")?;
            restart(system, Tier::Nats, leader, length, Ending::Kill).await
        }
        Kind::LoseQuorum => lose_quorum(system, which, length).await,
        Kind::KillEverything => kill_everything(system).await,
        Kind::RollingRestart => rolling_restart(system).await,
        Kind::StopPostgresAtOnce => {
            system.postgres.crash().await;
            sleep(length).await;
            system.postgres.start().await;
            Ok("postgres".to_owned())
        }
        Kind::DieAfterCommit => die_after_commit(system, which).await,
        Kind::Cut(link, how) => cut(system, link, how, which, length).await,
        Kind::NeverRead => never_read(system, length, board).await,
        Kind::DiskFull => disk_full(system, length).await,
        Kind::LogFull => {
            system.limit_log(true).await?;
            sleep(length).await;
            within("the log's limit is lifted", async || system.limit_log(false).await.ok()).await?;
            Ok("the stream's max_bytes".to_owned())
        }
    }
}

fn one(services: &mut [Service], which: usize) -> &mut Service {
    let number = which % services.len();
    &mut services[number]
}

fn tier(system: &mut System, tier: Tier) -> &mut [Service] {
    match tier {
        Tier::Edge => &mut system.edges,
        Tier::Authz => &mut system.authz,
        Tier::Persistence => &mut system.persistence,
        Tier::Nats | Tier::Postgres => &mut [],
    }
}

/// How a process ends before it is started again.
#[derive(Clone, Copy)]
enum Ending {
    /// `kill -9`.
    Kill,
    /// SIGTERM; a service has to end cleanly.
    Terminate,
}

async fn restart(
    system: &mut System,
    of: Tier,
    which: usize,
    length: Duration,
    ending: Ending,
) -> Result<String, String> {
    match of {
        Tier::Postgres => {
            match ending {
                Ending::Kill => system.postgres.kill().await,
                Ending::Terminate => system.postgres.stop().await,
            }
            sleep(length).await;
            system.postgres.start().await;
            Ok("postgres".to_owned())
        }
        Tier::Nats => {
            let number = which % system.nats.servers.len();
            let server = &mut system.nats.servers[number];
            match ending {
                Ending::Kill => server.kill(),
                Ending::Terminate => server.terminate().await,
            }
            sleep(length).await;
            server.start().await;
            Ok(format!("nats-{}", number + 1))
        }
        Tier::Edge | Tier::Authz | Tier::Persistence => {
            let service = one(tier(system, of), which);
            let name = service.name().to_owned();
            let outcome = match ending {
                Ending::Kill => {
                    service.kill();
                    Ok(name)
                }
                Ending::Terminate => match service.terminate().await {
                    status if status.success() => Ok(name),
                    status => Err(format!("{name} ended with {status} after SIGTERM")),
                },
            };
            sleep(length).await;
            service.start();
            outcome
        }
    }
}

async fn pause(system: &mut System, of: Tier, which: usize, length: Duration) -> Result<String, String> {
    let (name, process) = match of {
        Tier::Postgres => ("postgres".to_owned(), system.postgres.process()),
        Tier::Nats => {
            let number = which % system.nats.servers.len();
            (format!("nats-{}", number + 1), system.nats.servers[number].process())
        }
        _ => {
            let service = one(tier(system, of), which);
            (service.name().to_owned(), Some(&*service.running()))
        }
    };
    let process = process.ok_or("it does not run")?;
    process.pause();
    sleep(length).await;
    process.resume();
    Ok(format!("{name}, {:.1} s", length.as_secs_f64()))
}

async fn lose_quorum(system: &mut System, which: usize, length: Duration) -> Result<String, String> {
    let n_servers = system.nats.servers.len();
    let spared = which % n_servers;
    for number in (0..n_servers).filter(|number| *number != spared) {
        system.nats.servers[number].kill();
    }
    sleep(length).await;
    system.nats.start().await;
    Ok(format!("all but nats-{}, {:.1} s", spared + 1, length.as_secs_f64()))
}

async fn kill_everything(system: &mut System) -> Result<String, String> {
    system.services().for_each(Service::kill);
    system.nats.servers.iter_mut().for_each(|server| server.kill());
    system.postgres.kill().await;
    system.nats.start().await;
    system.postgres.start().await;
    system.services().for_each(Service::start);
    Ok("all".to_owned())
}

async fn rolling_restart(system: &mut System) -> Result<String, String> {
    for number in 0..system.services().count() {
        let service = system.services().nth(number).expect("below the count");
        let status = service.terminate().await;
        service.start();
        service.is_ready().await;
        if !status.success() {
            return Err(format!("{} ended with {status} after SIGTERM", service.name()));
        }
    }
    for number in 0..system.nats.servers.len() {
        system.nats.servers[number].terminate().await;
        system.nats.servers[number].start().await;
        system.log_is_whole().await?;
    }
    system.postgres.stop().await;
    system.postgres.start().await;
    Ok("all, one by one".to_owned())
}

async fn die_after_commit(system: &mut System, which: usize) -> Result<String, String> {
    let service = one(&mut system.persistence, which);
    service.kill();
    // A few batches are stored and acknowledged; after the next COMMIT it aborts.
    service.start_with(&[("FAILPOINTS", "persistence::after_commit=3*off->return")]);
    let died = within("persistence dies at its failpoint", async || service.running().exit_status()).await;
    service.start();
    died.map_err(|late| format!("{late} (built with --all-features?)"))?;
    Ok(service.name().to_owned())
}

async fn cut(system: &System, link: Link, how: Cut, which: usize, length: Duration) -> Result<String, String> {
    let lines = &system.lines;
    let pick = |proxies: &[Proxy]| which % proxies.len();
    let (near, proxies): (String, Vec<&Proxy>) = match link {
        Link::ClientEdge => {
            let number = pick(&lines.client_edge);
            (format!("edge-{}", number + 1), vec![&lines.client_edge[number]])
        }
        Link::EdgeNats => {
            let number = which % lines.edge_nats.len();
            (format!("edge-{}", number + 1), lines.edge_nats[number].iter().collect())
        }
        Link::EdgeAuthz => {
            let number = pick(&lines.edge_authz);
            (format!("edge-{}", number + 1), vec![&lines.edge_authz[number]])
        }
        Link::EdgePersistence => {
            let number = pick(&lines.edge_persistence);
            (format!("edge-{}", number + 1), vec![&lines.edge_persistence[number]])
        }
        Link::PersistencePostgres => {
            let number = pick(&lines.persistence_postgres);
            (format!("persistence-{}", number + 1), vec![&lines.persistence_postgres[number]])
        }
    };
    // Sometimes a moment only, sometimes for a while.
    let is_moment = (which / 3).is_multiple_of(2);
    if is_moment {
        proxies.iter().for_each(|proxy| proxy.cut(how));
        return Ok(format!("{near}, a moment"));
    }
    proxies.iter().for_each(|proxy| proxy.block(how));
    sleep(length).await;
    proxies.iter().for_each(|proxy| proxy.mend());
    Ok(format!("{near}, {:.1} s", length.as_secs_f64()))
}

async fn never_read(system: &System, length: Duration, board: &Board) -> Result<String, String> {
    let mut sleepers = Vec::new();
    let token = Person::new(1, "writer-0").access_token();
    for number in 0..N_SLEEPERS {
        let edge: SocketAddr = system.edges[number % system.edges.len()].address();
        let path = format!("/ws/chat/1/?token={token}&since=0");
        sleepers.extend(Line::open(edge, &path, Some(SLEEPER_BYTES)).await);
    }
    board.set_asleep(true);
    sleep(length).await;
    board.set_asleep(false);
    Ok(format!("{} of {N_SLEEPERS} let in, {:.1} s", sleepers.len(), length.as_secs_f64()))
}

/// NATS gives JetStream up on a server whose disk is full, until it is started again.
async fn disk_full(system: &mut System, length: Duration) -> Result<String, String> {
    let disk = system.disk.as_ref().ok_or("nothing can be mounted on this machine")?;
    disk.fill()?;
    sleep(length).await;
    disk.make_room()?;
    let number = system.nats.servers.len() - 1;
    system.nats.servers[number].kill();
    system.nats.servers[number].start().await;
    Ok(format!("nats-{}, {:.1} s", number + 1, length.as_secs_f64()))
}
