//! The clients of a run.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::faults::board::{Board, Phase};
use crate::faults::history::{Sender, Stream};
use crate::faults::judge::{Finding, Wrong};
use crate::faults::outbox::Outbox;
use crate::faults::participant::{Part, Participant};
use crate::faults::system::{System, within};
use crate::fixture::{Person, Room, World};

/// How long the log must stand still before the clients go: what is sent twice may come late.
const QUIET: Duration = Duration::from_secs(3);

/// How many clients there are, and what they do. Everybody in a conversation is told all of it.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Conversations, numbered from 1.
    pub n_conversations: u16,
    /// In each; each has an account of its own.
    pub n_writers: u16,
    /// In each: a further device of the first writer. Every other one sleeps when sleepers sleep.
    pub n_readers: u16,
    /// Of all writers together.
    pub messages_per_second: u32,
}

/// Running clients.
#[derive(Debug)]
pub struct Crowd {
    /// What they tell.
    pub board: Arc<Board>,
    layout: Layout,
    edges: Arc<[SocketAddr]>,
    clients: Vec<JoinHandle<(Stream, Option<Sender>)>>,
}

impl Layout {
    /// The accounts and conversations that these clients need.
    pub fn world(self) -> World {
        let n_accounts = u64::from(self.n_conversations * self.n_writers);
        let room = |conversation: u16| {
            let first = u64::from((conversation - 1) * self.n_writers) + 1;
            let participants = (first..first + u64::from(self.n_writers)).collect();
            Room { id: conversation.into(), participants, created_at: None }
        };
        World {
            accounts: (1..=n_accounts).map(person).collect(),
            conversations: (1..=self.n_conversations).map(room).collect(),
            messages: Vec::new(),
        }
    }

    fn messages_per_hour(self) -> u32 {
        self.messages_per_second * 3600 / u32::from(self.n_conversations * self.n_writers)
    }
}

fn person(id: u64) -> Person {
    Person::new(id, &format!("writer-{}", id - 1))
}

impl Crowd {
    /// Clients who connect to any of these edges; the readers only to the last if `readers_apart`.
    pub fn start(layout: Layout, seed: u64, edges: &[SocketAddr], places: Places) -> Self {
        let mut parts = Vec::new();
        for conversation in 1..=layout.n_conversations {
            let first = (conversation - 1) * layout.n_writers;
            for writer in first..first + layout.n_writers {
                let outbox = Outbox::new(writer, conversation.into(), layout.messages_per_hour());
                parts.push((conversation, u64::from(writer) + 1, Some(outbox), false));
            }
            for number in 0..layout.n_readers {
                parts.push((conversation, u64::from(first) + 1, None, number % 2 == 1));
            }
        }
        let desks: Vec<(usize, bool)> = parts
            .iter()
            .map(|(conversation, _, outbox, _)| (usize::from(conversation - 1), outbox.is_some()))
            .collect();
        let board = Arc::new(Board::new(layout.n_conversations.into(), &desks));
        let all: Arc<[SocketAddr]> = edges.into();
        let last: Arc<[SocketAddr]> = edges.iter().rev().take(1).copied().collect();
        let first: Arc<[SocketAddr]> = edges.iter().take(1).copied().collect();
        let clients = parts.into_iter().enumerate().map(|(client, (conversation, account, outbox, sleeps))| {
            let edges = match (places, outbox.is_some()) {
                (Places::Anywhere, _) => &all,
                (Places::Apart, true) => &first,
                (Places::Apart, false) => &last,
            };
            let seed = seed.wrapping_mul(1_000_003).wrapping_add(client as u64);
            let part = Part {
                client,
                person: person(account),
                conversation: conversation.into(),
                marks: true,
                outbox,
                sleeps,
                seed,
            };
            tokio::spawn(Participant::new(part, Arc::clone(&board), Arc::clone(edges)).run())
        });
        let clients = clients.collect();
        Self { board, layout, edges: all, clients }
    }

    /// Lets everybody finish what is begun and hear what all have heard, lets somebody read all of it from the
    /// beginning, and then they go. What does not come to an end is a finding.
    pub async fn finish(self, system: &System) -> (Vec<Stream>, Vec<Sender>, Vec<Finding>) {
        let Self { board, layout, edges, clients } = self;
        board.enter(Phase::Finishing);
        let mut findings = Vec::new();
        if let Err(late) = within("all clients have finished", async || Self::is_quiet(&board, system).await).await {
            let text = format!("{late}; those who have not: {:?}", board.unfinished());
            findings.push(Finding { wrong: Wrong::Stuck, at: board.now(), text });
        }
        if let Err(late) = system.store_is_whole().await {
            findings.push(Finding { wrong: Wrong::Stuck, at: board.now(), text: late });
        }
        let latecomers = read_all(layout, &board, edges, &mut findings).await;
        board.enter(Phase::Over);
        let (mut streams, mut senders) = (Vec::new(), Vec::new());
        for client in clients {
            let (stream, sender) = client.await.expect("clients do not panic");
            streams.push(stream);
            senders.extend(sender);
        }
        streams.extend(latecomers);
        (streams, senders, findings)
    }

    async fn is_quiet(board: &Board, system: &System) -> Option<()> {
        let last = async || Some(system.ask("STREAM.INFO.CHAT", "").await.ok()?["state"]["last_seq"].clone());
        if !board.unfinished().is_empty() {
            return None;
        }
        let before = last().await?;
        sleep(QUIET).await;
        (last().await? == before && board.unfinished().is_empty()).then_some(())
    }
}

/// What somebody is told of each conversation who comes when all is over: most of it from the store.
async fn read_all(
    layout: Layout,
    before: &Board,
    edges: Arc<[SocketAddr]>,
    findings: &mut Vec<Finding>,
) -> Vec<Stream> {
    let desks: Vec<(usize, bool)> = (0..usize::from(layout.n_conversations)).map(|number| (number, false)).collect();
    let board = Arc::new(Board::new(desks.len(), &desks));
    let mut clients = Vec::new();
    for (client, conversation) in (1..=layout.n_conversations).enumerate() {
        board.stands_at_least_at(client, before.head(client));
        let person = person(u64::from((conversation - 1) * layout.n_writers) + 1);
        let seed = client as u64;
        let conversation = conversation.into();
        let part = Part { client, person, conversation, marks: false, outbox: None, sleeps: false, seed };
        clients.push(tokio::spawn(Participant::new(part, Arc::clone(&board), Arc::clone(&edges)).run()));
    }
    if let Err(late) = within("all is told again", async || board.unfinished().is_empty().then_some(())).await {
        let text = format!("{late}; not in the conversations {:?} (from 0)", board.unfinished());
        findings.push(Finding { wrong: Wrong::Stuck, at: before.now(), text });
    }
    board.enter(Phase::Over);
    let mut streams = Vec::new();
    for client in clients {
        let (mut stream, _) = client.await.expect("clients do not panic");
        stream.name = format!("the latecomer in {}", stream.conversation);
        stream.told.iter_mut().for_each(|told| told.at = before.now());
        streams.push(stream);
    }
    streams
}

/// Which edges clients use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Places {
    /// Any, as behind a load balancer.
    Anywhere,
    /// Writers the first one, readers the last one.
    Apart,
}
