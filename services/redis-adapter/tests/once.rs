//! Each entry of the log reaches Django once and in order, whatever happens to adapters and servers.
#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod stage;

use std::time::Duration;

use natter_model::id::Position;
use natter_redis_adapter::layer::config::LayerKind;
use natter_redis_adapter::layer::error::LayerError;
use natter_redis_adapter::layer::{Layer, Positioned};
use natter_tests::servers::redis::Redis;
use natter_tests::wait::until;
use redis::aio::MultiplexedConnection;
use stage::{line, says, servers, settings};

/// Conversations whose groups, and Django processes whose queues, live on different hosts.
const N_GROUPS: u64 = 8;
const PROCESSES: [&str; 3] =
    ["00000000000000000000000000000000", "11111111111111111111111111111111", "22222222222222222222222222222222"];

/// Entries of a log, with what fits into Redis and what does not.
fn log(range: std::ops::RangeInclusive<u64>) -> Vec<Positioned> {
    range
        .map(|position| Positioned {
            position: Position::new(position),
            message: (position % 10 != 0).then(|| says(&group(position), &format!("entry {position}."))),
        })
        .collect()
}

fn group(position: u64) -> String {
    format!("chat_{}", position % N_GROUPS)
}

/// Puts consumers of Django into all groups, on whatever host they belong.
async fn django_joins(lines: &mut [MultiplexedConnection]) {
    for line in lines {
        for group in 0..N_GROUPS {
            for process in PROCESSES {
                let (key, channel) = (format!("asgi:group:chat_{group}"), format!("specific.{process}!x"));
                redis::cmd("ZADD").arg(key).arg(1e11).arg(channel).exec_async(line).await.unwrap();
            }
        }
    }
}

/// What waits for a process, in the order in which it will read it.
async fn waiting(lines: &mut [MultiplexedConnection], process: &str) -> Vec<u64> {
    let mut all = Vec::new();
    for line in lines {
        let key = format!("asgispecific.{process}!");
        let payloads: Vec<Vec<u8>> = redis::cmd("ZRANGE").arg(key).arg("0").arg("-1").query_async(line).await.unwrap();
        all.extend(payloads.iter().map(|payload| {
            let text = String::from_utf8_lossy(payload);
            let (_, behind) = text.split_once("entry ").unwrap();
            behind.split_once('.').unwrap().0.parse::<u64>().unwrap()
        }));
    }
    all
}

async fn lines(servers: &[Redis]) -> Vec<MultiplexedConnection> {
    let mut lines = Vec::new();
    for server in servers {
        lines.push(line(server).await);
    }
    lines
}

/// An adapter that writes the log, again and again where it fails.
async fn walks(layer: &Layer, log: &[Positioned], step: usize) -> usize {
    let mut written = 0;
    for batch in log.chunks(step) {
        let published = until("Redis takes a batch", async || layer.publish(batch).await.ok()).await;
        written += published.written;
    }
    written
}

fn expected(log: &[Positioned]) -> Vec<u64> {
    log.iter().filter(|entry| entry.message.is_some()).map(|entry| entry.position.get()).collect()
}

#[tokio::test]
async fn adapters_that_race_write_each_message_once_and_in_order() {
    let servers = servers(3).await;
    let mut lines = lines(&servers).await;
    django_joins(&mut lines).await;
    let config = settings(LayerKind::Core, &servers);
    let [(ana, _a), (bob, _b), (eve, _c)] = [(); 3].map(|()| Layer::open(&config).unwrap());
    let log = log(1..=1000);
    let written = tokio::join!(walks(&ana, &log, 7), walks(&bob, &log, 1), walks(&eve, &log, 50));
    let expected = expected(&log);
    assert_eq!(written.0 + written.1 + written.2, expected.len());
    for process in PROCESSES {
        assert_eq!(waiting(&mut lines, process).await, expected);
    }
    assert_eq!(ana.position().await.unwrap(), Some(Position::new(1000)));
}

#[tokio::test]
async fn a_server_that_is_killed_and_comes_back_has_each_message_once() {
    let mut server = [Redis::new().durable()];
    server[0].start().await;
    django_joins(&mut lines(&server).await).await;
    let config = settings(LayerKind::Core, &server);
    let [(ana, _a), (bob, _b)] = [(); 2].map(|()| Layer::open(&config).unwrap());
    let log = log(1..=600);
    let walk = async { tokio::join!(walks(&ana, &log, 3), walks(&bob, &log, 5)) };
    let fall = async {
        for fallen in [100, 300] {
            let far = async || (ana.position().await.ok()?? >= Position::new(fallen)).then_some(());
            until("they are on their way", far).await;
            server[0].kill();
            server[0].start().await;
        }
    };
    tokio::join!(walk, fall);
    for process in PROCESSES {
        assert_eq!(waiting(&mut lines(&server).await, process).await, expected(&log));
    }
}

#[tokio::test]
async fn a_host_that_is_away_or_full_holds_the_log_up_and_loses_nothing() {
    let mut servers = servers(2).await;
    servers[1] = Redis::new().durable();
    servers[1].start().await;
    let mut lines_to_both = lines(&servers).await;
    django_joins(&mut lines_to_both).await;
    let config = settings(LayerKind::Core, &servers);
    let [(ana, _a), (bob, _b)] = [(); 2].map(|()| Layer::open(&config).unwrap());
    let log = log(1..=100);
    walks(&ana, &log[..50], 10).await;

    // Half of a batch is written: the log stands before it.
    let memory = async |line: &mut MultiplexedConnection, bytes: &str| {
        redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(bytes).exec_async(line).await.unwrap();
    };
    memory(&mut lines_to_both[1], "1").await;
    let error = ana.publish(&log[50..70]).await.unwrap_err();
    assert!(matches!(error, LayerError::Redis { host: 1, .. }), "{error}");
    memory(&mut lines_to_both[1], "0").await;
    let known: u64 = redis::cmd("HGET")
        .arg("asgi:natter:position")
        .arg("position")
        .query_async(&mut lines_to_both[0])
        .await
        .unwrap();
    assert_eq!((known, bob.position().await.unwrap()), (70, Some(Position::new(50))));

    servers[1].kill();
    let error = ana.publish(&log[50..70]).await.unwrap_err();
    assert!(matches!(error, LayerError::Redis { host: 1, .. }), "{error}");
    servers[1].start().await;
    walks(&bob, &log[50..], 20).await;
    for process in PROCESSES {
        assert_eq!(waiting(&mut lines(&servers).await, process).await, expected(&log));
    }
}

#[tokio::test]
async fn a_server_that_comes_back_empty_goes_on_where_an_adapter_says() {
    let mut server = [Redis::started().await];
    let config = settings(LayerKind::Core, &server);
    let [(ana, _a), (bob, _b)] = [(); 2].map(|()| Layer::open(&config).unwrap());
    assert_eq!(ana.position().await.unwrap(), None);
    assert_eq!(ana.start_at(Position::new(40)).await.unwrap(), Position::new(40));
    assert_eq!(bob.start_at(Position::new(44)).await.unwrap(), Position::new(40));
    assert_eq!(walks(&ana, &log(1..=60), 10).await, expected(&log(41..=60)).len());
    server[0].kill();
    server[0].start().await;
    assert_eq!(until("Redis answers", async || bob.position().await.ok()).await, None);
    assert_eq!(until("Redis answers", async || ana.start_at(Position::new(60)).await.ok()).await, Position::new(60));
    django_joins(&mut lines(&server).await).await;
    walks(&bob, &log(51..=70), 10).await;
    assert_eq!(waiting(&mut lines(&server).await, PROCESSES[0]).await, expected(&log(61..=70)));
}

#[tokio::test]
async fn positions_beyond_what_a_float_holds_are_told_apart() {
    let server = servers(1).await;
    let mut lines = lines(&server).await;
    django_joins(&mut lines).await;
    let (layer, _inbox) = Layer::open(&settings(LayerKind::Core, &server)).unwrap();
    let first = (1 << 53) - 1;
    let log_of_five = log(first..=first + 4);
    walks(&layer, &log_of_five, 1).await;
    assert_eq!(waiting(&mut lines, PROCESSES[0]).await, expected(&log_of_five));
    assert_eq!(layer.position().await.unwrap(), Some(Position::new(first + 4)));
    assert_eq!(layer.publish(&log(9..=9)).await.unwrap().already, 1);
}

#[tokio::test]
async fn a_message_comes_behind_the_last_one_even_if_its_adapters_clock_is_behind() {
    let server = servers(1).await;
    let mut lines = lines(&server).await;
    django_joins(&mut lines).await;
    let (layer, _inbox) = Layer::open(&settings(LayerKind::Core, &server)).unwrap();
    walks(&layer, &log(1..=1), 1).await;
    // Another adapter, whose clock is ten minutes ahead, writes something.
    let ahead = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64() + 600.0;
    let state = "asgi:natter:position";
    redis::cmd("HSET").arg(state).arg("score").arg(ahead).exec_async(&mut lines[0]).await.unwrap();
    walks(&layer, &log(2..=9), 3).await;
    assert_eq!(waiting(&mut lines, PROCESSES[0]).await, expected(&log(1..=9)));
    let queue = format!("asgispecific.{}!", PROCESSES[0]);
    let late: usize = redis::cmd("ZCOUNT").arg(queue).arg(ahead).arg("+inf").query_async(&mut lines[0]).await.unwrap();
    assert_eq!(late, 8);
}

#[tokio::test]
async fn a_right_belongs_to_one_adapter_at_a_time() {
    let server = servers(1).await;
    let config = settings(LayerKind::PubSub, &server);
    let [(ana, _a), (bob, _b)] = [(); 2].map(|()| Layer::open(&config).unwrap());
    let long = Duration::from_secs(3600);
    assert!(ana.hold("typing", long).await.unwrap() && ana.hold("typing", long).await.unwrap());
    assert!(!bob.hold("typing", long).await.unwrap());
    bob.release("typing").await.unwrap();
    assert!(!bob.hold("typing", long).await.unwrap());
    ana.release("typing").await.unwrap();
    assert!(bob.hold("typing", Duration::from_millis(1)).await.unwrap());
    until("the time is over", async || ana.hold("typing", long).await.unwrap().then_some(())).await;
}
