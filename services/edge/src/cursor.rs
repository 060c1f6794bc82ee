//! One reader's place in a conversation: in the room's window, or behind it in the past.

use std::sync::Arc;

use natter_model::id::{AccountId, Position};
use natter_wire::server;

use crate::batches::Batches;
use crate::budget::Held;
use crate::frame::{Frame, Kind, Outgoing};
use crate::lobby::Seat;
use crate::metrics::missed::{self, Source};
use crate::metrics::{self, Present};
use crate::page::Page;
use crate::window::{State, Tick};

/// Frames handed out at once.
const BATCH_FRAMES: usize = 128;

/// Hands out each event behind its position exactly once, in order, at the pace it is asked. Live, resuming and too
/// slow for the window differ only in how far it stands behind.
pub(crate) struct Cursor {
    seat: Seat,
    reader: AccountId,
    position: Position,
    /// Where the head was when the reader was let in. If they had been removed before, they have been let in again.
    since: Position,
    /// Where it stands in the window. `None`: behind it.
    tick: Option<Tick>,
    /// Where the page began that it read last.
    page: Position,
    /// Counts it while it is behind the window.
    behind: Option<Present>,
    /// To be told when nothing is left of what was missed.
    is_resuming: bool,
    /// What was handed out last, until more is asked for.
    held: Option<Held>,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// These frames, at least one.
    Frames(Vec<Outgoing>),
    /// Nothing: the conversation is deleted.
    Deleted,
    /// Nothing: the reader takes part no longer.
    Removed,
    /// Nothing: the room is closed.
    Closed,
}

impl Cursor {
    /// Begins with what is new. Signals of `reader` are left out.
    pub(crate) fn live(seat: Seat, reader: AccountId) -> Self {
        let (tick, position) = {
            let window = seat.window.borrow();
            (window.end(), window.head())
        };
        Self { tick: Some(tick), is_resuming: false, ..Self::resuming(seat, reader, position) }
    }

    /// Begins behind `position`, which the log has reached, and tells when it has caught up.
    pub(crate) fn resuming(seat: Seat, reader: AccountId, position: Position) -> Self {
        let (tick, since) = {
            let window = seat.window.borrow();
            (window.tick_after(position), window.head())
        };
        Self { seat, reader, position, since, tick, page: position, behind: None, is_resuming: true, held: None }
    }

    /// Waits for frames. Safe to drop while waiting.
    pub(crate) async fn next(&mut self) -> Next {
        self.held = None;
        loop {
            let step = self.step();
            match step {
                Step::Hand(next) => return next,
                Step::Wait => {
                    if self.seat.window.changed().await.is_err() {
                        return Next::Closed;
                    }
                }
                Step::Read { goal } => {
                    // Boxed, because most connections are never behind.
                    if let Some(page) = Box::pin(self.read(goal)).await
                        && let Some(next) = self.turn(&page)
                    {
                        return next;
                    }
                }
            }
        }
    }

    /// What can be done without waiting.
    fn step(&mut self) -> Step {
        let window = self.seat.window.borrow_and_update();
        let tick = self.tick.or_else(|| window.tick_after(self.position));
        let Some((tick, fresh)) = tick.and_then(|tick| Some((tick, window.frames_from(tick)?))) else {
            let is_removed = window.has_removed(self.reader, self.since);
            return if is_removed { Step::Hand(Next::Removed) } else { Step::Read { goal: window.floor() } };
        };
        let mut batch = Batch::within(&self.seat.batches);
        let mut position = self.position;
        let mut taken = 0;
        let mut is_removed = false;
        for frame in fresh {
            is_removed = is_removal(frame, self.reader, self.since);
            if is_removed || batch.is_full() {
                break;
            }
            taken += 1;
            if let Some(news) = frame.news_to(self.reader, position) {
                batch.push(news.clone());
            }
            position = position.max(frame.position);
        }
        let has_caught_up = self.is_resuming && tick + taken == window.end();
        let state = window.state();
        drop(window);
        (self.tick, self.position, self.behind) = (Some(tick + taken), position, None);
        if self.is_resuming && !batch.frames.is_empty() {
            missed::catch_up(Source::Window, 1, batch.frames.len());
        }
        if has_caught_up {
            self.is_resuming = false;
            batch.push(server::caught_up(position).into());
        }
        match state {
            _ if !batch.frames.is_empty() => Step::Hand(self.hand_out(batch)),
            _ if is_removed => Step::Hand(Next::Removed),
            State::Opening | State::Open => Step::Wait,
            State::Deleted => Step::Hand(Next::Deleted),
            State::Closed => Step::Hand(Next::Closed),
        }
    }

    /// The page that goes on behind the position, as soon as there is one. `None`: the reader has been removed.
    async fn read(&mut self, goal: Position) -> Option<Arc<Page>> {
        self.tick = None;
        self.behind.get_or_insert_with(metrics::connection_behind);
        let (reader, since) = (self.reader, self.since);
        let mut window = self.seat.window.clone();
        tokio::select! {
            page = self.seat.reader.page(self.page, self.position, goal) => Some(page),
            Ok(_) = window.wait_for(|window| window.has_removed(reader, since)) => None,
        }
    }

    /// Hands out what stands in the page, but nothing that the room has not seen yet: that comes through the window, and
    /// with it the word that the reader was removed in between.
    fn turn(&mut self, page: &Page) -> Option<Next> {
        self.page = page.after();
        let window = self.seat.window.borrow();
        if window.has_removed(self.reader, self.since) {
            return Some(Next::Removed);
        }
        let through = page.through().min(window.head());
        let is_end = page.end().is_some_and(|end| end <= window.head());
        drop(window);
        let mut batch = Batch::within(&self.seat.batches);
        let mut rest = page.frames(self.position, through).iter();
        while !batch.is_full()
            && let Some(frame) = rest.next()
        {
            if let Some(news) = frame.news_to(self.reader, self.position) {
                batch.push(news.clone());
            }
            self.position = frame.position;
        }
        if rest.len() == 0 && is_end {
            return if batch.frames.is_empty() { Some(Next::Deleted) } else { Some(self.hand_out(batch)) };
        }
        if rest.len() == 0 {
            self.position = self.position.max(through);
        }
        if batch.frames.is_empty() {
            return None;
        }
        missed::catch_up(page.source(), 1, batch.frames.len());
        Some(self.hand_out(batch))
    }

    fn hand_out(&mut self, batch: Batch) -> Next {
        self.held = Some(self.seat.batches.hold(batch.n_bytes));
        Next::Frames(batch.frames)
    }
}

/// Does it tell that the account was removed, and not before it was let in?
fn is_removal(frame: &Frame, account: AccountId, since: Position) -> bool {
    matches!(frame.kind, Kind::Removed { account: removed } if removed == account && frame.position > since)
}

enum Step {
    Hand(Next),
    Wait,
    Read { goal: Position },
}

struct Batch {
    frames: Vec<Outgoing>,
    n_bytes: usize,
    max_bytes: usize,
}

impl Batch {
    fn within(batches: &Batches) -> Self {
        Self { frames: Vec::new(), n_bytes: 0, max_bytes: batches.room() }
    }

    fn push(&mut self, frame: Outgoing) {
        self.n_bytes += frame.text.len();
        self.frames.push(frame);
    }

    fn is_full(&self) -> bool {
        self.frames.len() >= BATCH_FRAMES || self.n_bytes >= self.max_bytes
    }
}

#[cfg(test)]
mod tests;
