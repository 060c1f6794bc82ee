//! How much memory an idle connection takes: opens many, and asks the kernel what the server holds.
//!
//! `cargo build --release --workspace --bins && target/release/idle real 9000`

use clap::{Parser, ValueEnum};
use natter_tests::fixture::{Person, Room, World};
use natter_tests::socket::{Heard, Socket};
use natter_tests::stack::{Shape, Stack};

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Which {
    /// One process; what is measured is all of it.
    Local,
    /// All processes; what is measured is one edge.
    Real,
}

/// Opens idle connections and prints the memory that each costs the server.
#[derive(Debug, Parser)]
struct Settings {
    /// In which shape.
    shape: Which,
    /// How many connections. Each takes one file of this process and one of the server.
    #[arg(default_value_t = 9000)]
    n_connections: u64,
    /// How many of them share a conversation.
    #[arg(long, default_value_t = 2)]
    per_conversation: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let settings = Settings::parse();
    let n_files = rlimit::increase_nofile_limit(u64::MAX).expect("the limit can be asked for");
    assert!(n_files > settings.n_connections + 100, "only {n_files} files can be open at once");
    let shape = match settings.shape {
        Which::Local => Shape::Local,
        Which::Real => Shape::Real,
    };
    let n_conversations = settings.n_connections.div_ceil(settings.per_conversation);
    let stack = shape.start_with(&world(n_conversations)).await;

    let before = proportional_set_bytes(&stack).await;
    let token = Person::new(1, "ana").access_token();
    let mut sockets = Vec::new();
    for number in 0..settings.n_connections {
        let conversation = number / settings.per_conversation + 1;
        let url = format!("ws://{}/ws/chat/{conversation}/?token={token}", stack.edge(0));
        let mut socket = Socket::open(&url).await;
        // The answer tells that the connection is in its conversation.
        socket.send(r#"{"type": "ping"}"#.into()).await.expect("the connection is open");
        assert!(matches!(socket.hear().await, Heard::Frame(_)), "connection {number} was refused");
        sockets.push(socket);
    }
    let after = proportional_set_bytes(&stack).await;

    let each = after.saturating_sub(before) / settings.n_connections;
    println!("{} connections in {n_conversations} conversations: {each} bytes each", settings.n_connections);
    println!("proportional set size: {before} bytes without them, {after} with them");
}

fn world(n_conversations: u64) -> World {
    World {
        accounts: vec![Person::new(1, "ana"), Person::new(2, "bob")],
        conversations: (1..=n_conversations)
            .map(|id| Room { id, participants: vec![1, 2], created_at: None })
            .collect(),
        messages: Vec::new(),
    }
}

/// What the process that holds the connections takes, shared pages counted in parts.
async fn proportional_set_bytes(stack: &Stack) -> u64 {
    let edge = match stack.shape() {
        Shape::Local => "natter",
        Shape::Real => "edge-1",
    };
    let id = stack.deployment().await.service(edge).running().id();
    let rollup = std::fs::read_to_string(format!("/proc/{id}/smaps_rollup")).expect("the server runs, and is ours");
    let kib = rollup
        .lines()
        .find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.expect("the kernel tells the proportional set size") * 1024
}
