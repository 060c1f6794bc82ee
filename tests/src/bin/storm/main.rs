//! How long an edge takes until thousands who lost their lines at once have caught up, and what others notice of it.
//!
//! `cargo build --release --workspace --bins && target/release/storm`

mod behind;
mod bystanders;
mod line;
mod report;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use clap::Parser;
use futures_util::StreamExt;
use futures_util::stream;
use natter_tests::fixture::{Person, Room, World};
use natter_tests::stack::Shape;
use tokio::sync::watch;

use crate::line::Line;
use crate::report::{Costs, quantile};

/// Rooms of the bystanders. They come first.
const OTHER_ROOMS: u64 = 20;
/// Said in each room before the storm, and how many of that each client has missed.
const SAID: usize = 10;
const MISSED: usize = 3;
/// Handshakes at a time while the crowd gathers.
const GATHER: usize = 64;

/// Drops the lines of a crowd and lets it reconnect at once, each a few events behind.
#[derive(Debug, Parser)]
struct Settings {
    /// How many clients. Each takes one file of this process and one of the server.
    #[arg(default_value_t = 10_000)]
    n_clients: u64,
    /// How many of them share a conversation.
    #[arg(long, default_value_t = 20)]
    per_conversation: u64,
    /// Seconds between the drop and the return.
    #[arg(long, default_value_t = 0)]
    pause: u64,
    /// Instead: so many events in one conversation, read from the store from the very beginning.
    #[arg(long)]
    behind_window: Option<u64>,
    /// Readers of those events, at the same time.
    #[arg(long, default_value_t = 1)]
    readers: usize,
}

// One thread for the crowd and one for the bystanders: the server needs the processors more.
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let settings = Settings::parse();
    let n_files = rlimit::increase_nofile_limit(u64::MAX).expect("the limit can be asked for");
    assert!(n_files > settings.n_clients + 500, "only {n_files} files can be open at once");
    match settings.behind_window {
        Some(n_events) => behind::run(n_events, settings.readers).await,
        None => storm(&settings).await,
    }
}

async fn storm(settings: &Settings) {
    let n_rooms = settings.n_clients.div_ceil(settings.per_conversation);
    let stack = Shape::Real.start_with(&world(settings, n_rooms)).await;
    let edge = stack.edge(0);

    let begun = Instant::now();
    let mut crowd: Vec<Line> = stream::iter(0..settings.n_clients)
        .map(|number| {
            let path = path(settings, number, None);
            async move { Line::open(edge, &path).await.expect("the crowd is let in") }
        })
        .buffered(GATHER)
        .collect()
        .await;
    println!("{} clients in {n_rooms} conversations have gathered in {:.1?}", crowd.len(), begun.elapsed());

    let first_of_room = |room: u64| usize::try_from(room * settings.per_conversation).expect("an index");
    let mut since = Vec::new();
    for room in 0..n_rooms {
        since.push(talks(&mut crowd[first_of_room(room)]).await);
    }
    let paths: Vec<String> = (0..settings.n_clients)
        .map(|number| {
            let room = usize::try_from(number / settings.per_conversation).expect("an index");
            path(settings, number, Some(since[room]))
        })
        .collect();

    let (stop, stopped) = watch::channel(false);
    let bystanders = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(bystanders::talk(edge, 1..OTHER_ROOMS + 1, stopped))
    });
    tokio::time::sleep(Duration::from_secs(1)).await;

    let costs = Costs::now(&stack).await;
    drop(crowd);
    tokio::time::sleep(Duration::from_secs(settings.pause)).await;
    let begun = Instant::now();
    let returns: Vec<_> = paths
        .into_iter()
        .map(|path| {
            tokio::spawn(async move {
                let (line, n_frames) = catches_up(edge, &path).await;
                (begun.elapsed(), line, n_frames)
            })
        })
        .collect();
    let (mut took, mut lines) = (Vec::new(), Vec::new());
    for back in returns {
        let (after, line, n_frames) = back.await.expect("a client catches up");
        assert_eq!(n_frames, MISSED, "each hears what it missed, once");
        took.push(after);
        lines.push(line);
    }
    let all = begun.elapsed();
    costs.tell_since(&stack).await;
    stop.send_replace(true);
    let delivery = bystanders.join().expect("the bystanders talk on");
    println!("all {} have caught up after {all:.2?}", took.len());
    println!("each: p50 {:.2?}, p99 {:.2?}", quantile(&mut took, 0.5), quantile(&mut took, 0.99));
    let mut delivery = delivery;
    println!(
        "{} messages in other rooms: p50 {:.2?}, p99 {:.2?}, longest {:.2?}",
        delivery.len(),
        quantile(&mut delivery, 0.5),
        quantile(&mut delivery, 0.99),
        quantile(&mut delivery, 1.0)
    );
}

/// Opens a line and reads until it has caught up; how many frames that were.
async fn catches_up(edge: SocketAddr, path: &str) -> (Line, usize) {
    let mut line = Line::open(edge, path).await.expect("who comes back is let in");
    let mut n_frames = 0;
    loop {
        let frame = line.hear().await.expect("the line is open");
        if frame.starts_with(br#"{"type":"caught_up""#) {
            return (line, n_frames);
        }
        n_frames += 1;
    }
}

/// Says a few things and hears them; returns where somebody stands who missed the last of them.
async fn talks(line: &mut Line) -> u64 {
    for number in 0..SAID {
        line.send(&format!(r#"{{"content":"something that is about as long as people write: {number}"}}"#))
            .await
            .expect("the line is open");
    }
    let mut positions = Vec::new();
    while positions.len() < SAID {
        let frame = line.hear_json().await.expect("the line is open");
        positions.push(frame["seq"].as_u64().unwrap_or_else(|| panic!("an event, not {frame}")));
    }
    positions[SAID - MISSED - 1]
}

fn path(settings: &Settings, number: u64, since: Option<u64>) -> String {
    let room = OTHER_ROOMS + 1 + number / settings.per_conversation;
    let token = person(number).access_token();
    let since = since.map_or(String::new(), |since| format!("&since={since}"));
    format!("/ws/chat/{room}/?token={token}{since}")
}

fn person(number: u64) -> Person {
    Person::new(number + 1, &format!("person{number}"))
}

fn world(settings: &Settings, n_rooms: u64) -> World {
    let mut world = World { accounts: (0..settings.n_clients).map(person).collect(), ..World::default() };
    for id in 1..=OTHER_ROOMS {
        let pair = bystanders::pair(id);
        world.conversations.push(Room {
            id,
            participants: pair.iter().map(|person| person.id).collect(),
            created_at: None,
        });
        world.accounts.extend(pair);
    }
    world.conversations.extend((0..n_rooms).map(|number| {
        let first = number * settings.per_conversation;
        let last = (first + settings.per_conversation).min(settings.n_clients);
        let participants = (first..last).map(|number| person(number).id).collect();
        Room { id: OTHER_ROOMS + 1 + number, participants, created_at: None }
    }));
    world
}
