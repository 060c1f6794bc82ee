//! What clients tell while they run, for whoever injects faults: how it goes, and for how long nothing went.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

use tokio::sync::watch;
use tokio::time::Instant;

use crate::faults::history::Moment;

/// What clients are to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Write and read.
    Running,
    /// Bring to an end what is begun, and read on.
    Finishing,
    /// Go.
    Over,
}

/// Shared by all clients of a run.
#[derive(Debug)]
pub struct Board {
    started: Instant,
    phase: watch::Sender<Phase>,
    /// Half of those who only read sleep while it is set.
    asleep: watch::Sender<bool>,
    n_acknowledged: AtomicU64,
    acknowledgements: Stall,
    deliveries: Stall,
    longest_wait: AtomicU32,
    /// By client.
    desks: Vec<Desk>,
    /// The highest position that anybody has heard of, by conversation.
    heads: Vec<AtomicU64>,
}

/// What one client tells.
#[derive(Debug, Default)]
pub struct Desk {
    conversation: usize,
    writes: bool,
    /// Everything up to there was told.
    since: AtomicU64,
    heard_at: AtomicU32,
    /// When the newest of its acknowledged messages was sent first.
    acknowledged_from: AtomicU32,
    is_busy: AtomicBool,
}

/// How long nothing happened.
#[derive(Debug, Default)]
struct Stall {
    last: AtomicU32,
    longest: AtomicU32,
}

/// What happened since the [last look](Board::look).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Look {
    /// Messages that were acknowledged.
    pub n_messages: u64,
    /// The longest time without any acknowledgement.
    pub ack_stall: Moment,
    /// The longest time in which nobody was told anything.
    pub delivery_stall: Moment,
    /// The longest that one message waited for its acknowledgement.
    pub longest_wait: Moment,
}

impl Board {
    /// For clients in these conversations (counted from 0); `true` for those who write.
    pub fn new(n_conversations: usize, clients: &[(usize, bool)]) -> Self {
        let desk = |&(conversation, writes)| Desk { conversation, writes, ..Desk::default() };
        Self {
            started: Instant::now(),
            phase: watch::Sender::new(Phase::Running),
            asleep: watch::Sender::new(false),
            n_acknowledged: AtomicU64::new(0),
            acknowledgements: Stall::default(),
            deliveries: Stall::default(),
            longest_wait: AtomicU32::new(0),
            desks: clients.iter().map(desk).collect(),
            heads: (0..n_conversations).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Now.
    pub fn now(&self) -> Moment {
        Moment::try_from(self.started.elapsed().as_millis()).unwrap_or(Moment::MAX)
    }

    /// Follows the phase.
    pub fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// Enters this phase.
    pub fn enter(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    /// Follows whether sleepers sleep.
    pub fn asleep(&self) -> watch::Receiver<bool> {
        self.asleep.subscribe()
    }

    /// Sleepers stop reading, or read again.
    pub fn set_asleep(&self, asleep: bool) {
        self.asleep.send_replace(asleep);
    }

    /// A message that was sent first at `sent` is acknowledged.
    pub fn acknowledged(&self, client: usize, sent: Moment) {
        let now = self.now();
        self.n_acknowledged.fetch_add(1, Relaxed);
        self.acknowledgements.ends(now);
        self.longest_wait.fetch_max(now.saturating_sub(sent), Relaxed);
        self.desks[client].acknowledged_from.fetch_max(sent, Relaxed);
    }

    /// A client was told an event.
    pub fn told(&self, client: usize, seq: u64) {
        self.deliveries.ends(self.now());
        self.told_up_to(client, seq);
    }

    /// A client knows that it has everything up to there.
    pub fn told_up_to(&self, client: usize, seq: u64) {
        let desk = &self.desks[client];
        desk.since.fetch_max(seq, Relaxed);
        self.heads[desk.conversation].fetch_max(seq, Relaxed);
    }

    /// Somebody knows of an event in the client's conversation.
    pub fn stands_at_least_at(&self, client: usize, seq: u64) {
        self.heads[self.desks[client].conversation].fetch_max(seq, Relaxed);
    }

    /// The server gave a client a sign of life.
    pub fn heard(&self, client: usize) {
        self.desks[client].heard_at.store(self.now(), Relaxed);
    }

    /// A client has, or has not, something that is not confirmed yet.
    pub fn set_busy(&self, client: usize, busy: bool) {
        self.desks[client].is_busy.store(busy, Relaxed);
    }

    /// All messages that were acknowledged so far.
    pub fn n_acknowledged(&self) -> u64 {
        self.n_acknowledged.load(Relaxed)
    }

    /// What happened since the last look, and what is going on.
    pub fn look(&self, n_before: u64) -> Look {
        let now = self.now();
        Look {
            n_messages: self.n_acknowledged().saturating_sub(n_before),
            ack_stall: self.acknowledgements.take(now),
            delivery_stall: self.deliveries.take(now),
            longest_wait: self.longest_wait.swap(0, Relaxed),
        }
    }

    /// Clients for whom nothing has worked since then: no sign of life, or nothing newly sent was acknowledged.
    pub fn cut_off_since(&self, then: Moment) -> Vec<usize> {
        let works = |desk: &Desk| {
            desk.heard_at.load(Relaxed) > then && (!desk.writes || desk.acknowledged_from.load(Relaxed) > then)
        };
        (0..self.desks.len()).filter(|&client| !works(&self.desks[client])).collect()
    }

    /// The highest position that anybody has heard of in this conversation, counted from 0.
    pub fn head(&self, conversation: usize) -> u64 {
        self.heads[conversation].load(Relaxed)
    }

    /// Clients that wait for something, or have not been told everything that others have.
    pub fn unfinished(&self) -> Vec<usize> {
        let is_done = |desk: &Desk| {
            let head = self.heads[desk.conversation].load(Relaxed);
            !desk.is_busy.load(Relaxed) && desk.since.load(Relaxed) >= head
        };
        (0..self.desks.len()).filter(|&client| !is_done(&self.desks[client])).collect()
    }
}

impl Stall {
    fn ends(&self, now: Moment) {
        let last = self.last.swap(now, Relaxed);
        self.longest.fetch_max(now.saturating_sub(last), Relaxed);
    }

    fn take(&self, now: Moment) -> Moment {
        let going_on = now.saturating_sub(self.last.load(Relaxed));
        self.longest.swap(0, Relaxed).max(going_on)
    }
}
