//! The last frames of a room, each encoded once for everybody who looks.

use std::collections::VecDeque;
use std::sync::Arc;

use natter_model::event::{Body, Entry, Signal};
use natter_model::id::{AccountId, ConversationId, MessageId, Position};
use tokio::time::Instant;

use crate::actions::Target;
use crate::budget::{Budget, Held};
use crate::frame::{Frame, Kind};

/// Bytes of frames a window keeps at most, whatever their number.
const MAX_BYTES: usize = 1 << 20;

/// Frames that a window keeps even if all windows together hold too much: those who are there have the time to take what
/// comes at once, without a look into the log.
const LEAST_FRAMES: usize = 16;

/// Counts the frames of one room, signals included. Means nothing outside of this process.
pub(crate) type Tick = u64;

/// A bounded piece of a conversation's log, from above `floor` to `head` without a gap, with the signals in between.
#[derive(Debug)]
pub(crate) struct Window {
    conversation: ConversationId,
    max_frames: usize,
    state: State,
    frames: VecDeque<Frame>,
    held: Held,
    first: Tick,
    opened_at: Instant,
    floor: Position,
    head: Position,
    /// Where each of those who were removed was removed last, since the room is open. Outlives the frames: a client far
    /// behind must hear of it at once.
    removals: Vec<(AccountId, Position)>,
}

/// Whether more frames will come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Not yet: the room does not know the head.
    Opening,
    /// Yes.
    Open,
    /// No: the conversation was deleted.
    Deleted,
    /// No: the room is closed, and another one may follow the conversation.
    Closed,
}

/// What a window knows of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// It was posted in here.
    Found(Target),
    /// It was not said in this conversation: the window holds all around the place that is its id.
    Absent,
    /// It lies outside of the window.
    Unknown,
}

impl Window {
    /// A window that waits for its head. Keeps at most `max_frames`, at most 1 MiB, and few while the budget of all
    /// windows is used up.
    pub(crate) fn new(conversation: ConversationId, max_frames: usize, of_all: &Arc<Budget>) -> Self {
        Self {
            conversation,
            max_frames,
            state: State::Opening,
            frames: VecDeque::new(),
            held: of_all.hold(0),
            first: 0,
            opened_at: Instant::now(),
            floor: Position::START,
            head: Position::START,
            removals: Vec::new(),
        }
    }

    /// From here on, everything is in the window.
    pub(crate) fn open(&mut self, head: Position) {
        if self.state == State::Opening {
            self.state = State::Open;
            self.opened_at = Instant::now();
            self.floor = head;
            self.head = head;
        }
    }

    /// Since when everything is in the window, those who are removed included.
    pub(crate) fn opened_at(&self) -> Instant {
        self.opened_at
    }

    /// The conversation was deleted before anybody looked.
    pub(crate) fn open_deleted(&mut self, head: Position) {
        self.open(head);
        self.state = State::Deleted;
    }

    /// Nothing more will come.
    pub(crate) fn close(&mut self) {
        if self.state != State::Deleted {
            self.state = State::Closed;
        }
    }

    /// Takes in an event that stands behind the head; others are known already.
    pub(crate) fn push(&mut self, entry: &Entry) {
        if entry.position <= self.head || self.state != State::Open {
            return;
        }
        self.head = entry.position;
        if entry.event.body == Body::ParticipantRemoved {
            self.note_removal(entry.event.actor.id, entry.position);
        }
        // A post that was relayed may stand in the log again, if two have relayed it.
        if matches!(entry.event.body, Body::Posted { message: Some(given), .. } if self.posted(given).is_some()) {
            return;
        }
        match Frame::of_event(entry) {
            Some(frame) => self.push_frame(frame),
            None => self.state = State::Deleted,
        }
    }

    /// Nothing that can be told stands behind the head up to here.
    pub(crate) fn pass(&mut self, head: Position) {
        if self.state == State::Open {
            self.head = self.head.max(head);
        }
    }

    /// Goes on behind `head` without what stands before it: that has to be read elsewhere.
    pub(crate) fn skip_to(&mut self, head: Position) {
        if self.state == State::Open && head > self.head {
            // Also those who had got everything are behind now.
            self.first = self.end() + 1;
            self.frames.clear();
            self.held.give_back(self.held.n_bytes());
            (self.floor, self.head) = (head, head);
        }
    }

    /// Takes in a signal.
    pub(crate) fn push_signal(&mut self, signal: &Signal) {
        if self.state == State::Open {
            self.push_frame(Frame::of_signal(signal, self.head));
        }
    }

    /// Whether more will come.
    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// Where the last event stands.
    pub(crate) fn head(&self) -> Position {
        self.head
    }

    /// The window holds every event behind this position.
    pub(crate) fn floor(&self) -> Position {
        self.floor
    }

    /// The tick of the next frame to come.
    pub(crate) fn end(&self) -> Tick {
        self.first + self.frames.len() as Tick
    }

    /// The frames from this tick on. `None`: some of them have left the window.
    pub(crate) fn frames_from(&self, tick: Tick) -> Option<impl Iterator<Item = &Frame>> {
        let skipped = usize::try_from(tick.checked_sub(self.first)?).ok()?;
        Some(self.frames.range(skipped.min(self.frames.len())..))
    }

    /// The tick of the first event behind this position. `None`: some of those have left the window.
    pub(crate) fn tick_after(&self, position: Position) -> Option<Tick> {
        let covered = self.state != State::Opening && position >= self.floor;
        covered.then(|| self.first + self.frames.partition_point(|frame| frame.position <= position) as Tick)
    }

    /// Was the account removed from the conversation behind this position? Known of removals since the room is open.
    pub(crate) fn has_removed(&self, account: AccountId, since: Position) -> bool {
        self.removals.iter().any(|(removed, position)| *removed == account && *position > since)
    }

    /// What the window knows of a message.
    pub(crate) fn look_up(&self, id: MessageId) -> Lookup {
        if let Some(sender) = self.posted(id) {
            let is_delete = |kind| matches!(kind, Kind::Deleted { message, by } if message == id && by == sender);
            let is_deleted = self.frames.iter().any(|frame| is_delete(frame.kind));
            return Lookup::Found(Target { id, conversation: self.conversation, sender, is_deleted });
        }
        let position = Position::from(id);
        if position <= self.floor || position < self.first_event() || position > self.head {
            return Lookup::Unknown;
        }
        Lookup::Absent
    }

    /// Who posted the message, if that is in here. Its place need not be its id.
    fn posted(&self, id: MessageId) -> Option<AccountId> {
        self.frames.iter().rev().find_map(|frame| match frame.kind {
            Kind::Posted { message, sender } if message == id => Some(sender),
            _ => None,
        })
    }

    /// Where the first event in here stands. Below it may be messages that were never in the log, but imported.
    fn first_event(&self) -> Position {
        let events = self.frames.iter().filter(|frame| frame.position > Position::START);
        events.map(|frame| frame.position).next().unwrap_or(self.head)
    }

    fn note_removal(&mut self, account: AccountId, position: Position) {
        self.removals.retain(|(removed, _)| *removed != account);
        self.removals.push((account, position));
    }

    fn push_frame(&mut self, frame: Frame) {
        self.held.take(frame.n_bytes());
        self.frames.push_back(frame);
        while self.holds_too_much() {
            let Some(gone) = self.frames.pop_front() else { break };
            self.held.give_back(gone.n_bytes());
            self.first += 1;
            self.floor = gone.position;
        }
    }

    fn holds_too_much(&self) -> bool {
        let n_frames = self.frames.len();
        n_frames > self.max_frames
            || self.held.n_bytes() > MAX_BYTES
            || n_frames > LEAST_FRAMES && self.held.budget().is_used_up()
    }
}

#[cfg(test)]
mod tests;
