//! The last frames of a room, each encoded once for everybody who looks.

use std::collections::VecDeque;

use natter_model::event::{Body, Entry, Signal};
use natter_model::id::{AccountId, ConversationId, MessageId, Position};
use tokio::time::Instant;

use crate::actions::Target;
use crate::frame::{Frame, Kind};

/// Bytes of frames a window keeps at most, whatever their number.
const MAX_BYTES: usize = 1 << 20;

/// Counts the frames of one room, signals included. Means nothing outside of this process.
pub(crate) type Tick = u64;

/// A bounded piece of a conversation's log, from above `floor` to `head` without a gap, with the signals in between.
#[derive(Debug)]
pub(crate) struct Window {
    conversation: ConversationId,
    max_frames: usize,
    state: State,
    frames: VecDeque<Frame>,
    n_bytes: usize,
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
    /// It was not said in this conversation: the window holds all around its id.
    Absent,
    /// It lies outside of the window.
    Unknown,
}

impl Window {
    /// A window that waits for its head. Keeps at most `max_frames`, and at most 1 MiB.
    pub(crate) fn new(conversation: ConversationId, max_frames: usize) -> Self {
        Self {
            conversation,
            max_frames,
            state: State::Opening,
            frames: VecDeque::new(),
            n_bytes: 0,
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
            self.n_bytes = 0;
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
        let position = Position::from(id);
        if position <= self.floor || position < self.first_event() || position > self.head {
            return Lookup::Unknown;
        }
        let start = self.frames.partition_point(|frame| frame.position < position);
        let posted = self.frames.get(start).filter(|frame| frame.position == position);
        let Some(Kind::Posted { sender }) = posted.map(|frame| frame.kind) else { return Lookup::Absent };
        let is_deleted = self
            .frames
            .range(start..)
            .any(|frame| matches!(frame.kind, Kind::Deleted { message, by } if message == id && by == sender));
        Lookup::Found(Target { id, conversation: self.conversation, sender, is_deleted })
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
        self.n_bytes += frame.text.len();
        self.frames.push_back(frame);
        while self.frames.len() > self.max_frames || self.n_bytes > MAX_BYTES {
            let Some(gone) = self.frames.pop_front() else { break };
            self.n_bytes -= gone.text.len();
            self.first += 1;
            self.floor = gone.position;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HERE, account, actor, entry, posted};
    use natter_model::event::SignalBody;

    fn open_at(head: u64, max_frames: usize) -> Window {
        let mut window = Window::new(HERE, max_frames);
        window.open(Position::new(head));
        window
    }

    fn positions(window: &Window, tick: Tick) -> Option<Vec<u64>> {
        Some(window.frames_from(tick)?.map(|frame| frame.position.get()).collect())
    }

    fn message(id: u64) -> MessageId {
        MessageId::new(id).expect("not zero")
    }

    #[test]
    fn who_had_got_everything_is_behind_after_a_skip() {
        let ana = actor(2, "ana");
        let mut window = open_at(10, 8);
        window.push(&entry(12, 10, &ana, posted("x")));
        let end = window.end();
        window.skip_to(Position::new(20));
        assert_eq!((window.floor().get(), window.head().get()), (20, 20));
        assert_eq!(positions(&window, end), None);
        assert_eq!(window.tick_after(Position::new(12)), None);
        assert_eq!(window.tick_after(Position::new(20)), Some(window.end()));
    }

    #[test]
    fn a_removal_outlives_its_frame() {
        let (ana, bob) = (actor(2, "ana"), actor(3, "bob"));
        let mut window = open_at(10, 1);
        window.push(&entry(12, 10, &ana, Body::ParticipantRemoved));
        window.push(&entry(13, 12, &bob, posted("x")));
        assert!(window.has_removed(ana.id, Position::new(11)));
        assert!(!window.has_removed(ana.id, Position::new(12)), "let in again behind it");
        assert!(!window.has_removed(bob.id, Position::START));
    }

    #[test]
    fn old_frames_make_room_and_the_floor_tells() {
        let ana = actor(2, "ana");
        let mut window = open_at(10, 2);
        let start = window.end();
        for (position, previous) in [(12, 10), (15, 12), (20, 15)] {
            window.push(&entry(position, previous, &ana, posted("x")));
        }
        assert_eq!((window.floor().get(), window.head().get()), (12, 20));
        assert_eq!(positions(&window, start), None);
        assert_eq!(positions(&window, start + 1), Some(vec![15, 20]));
        assert_eq!(window.tick_after(Position::new(11)), None);
        assert_eq!(window.tick_after(Position::new(12)), Some(start + 1));
        assert_eq!(window.tick_after(Position::new(15)), Some(start + 2));
        assert_eq!(window.tick_after(Position::new(99)), Some(window.end()));
    }

    #[test]
    fn an_event_counts_once() {
        let ana = actor(2, "ana");
        let mut window = open_at(10, 8);
        for position in [12, 12, 11, 10, 13] {
            window.push(&entry(position, 0, &ana, posted("x")));
        }
        assert_eq!(positions(&window, 0), Some(vec![12, 13]));
    }

    #[test]
    fn large_frames_leave_early() {
        let ana = actor(2, "ana");
        let mut window = open_at(0, 100);
        for position in 1..=4 {
            window.push(&entry(position, position - 1, &ana, posted(&"x".repeat(400 * 1024))));
        }
        assert_eq!(positions(&window, 2), Some(vec![3, 4]));
        assert_eq!(window.floor().get(), 2);
    }

    #[test]
    fn a_message_is_found_with_its_sender_and_its_end() {
        let (ana, bob) = (actor(2, "ana"), actor(3, "bob"));
        let mut window = open_at(10, 8);
        window.push(&entry(12, 10, &ana, posted("x")));
        window.push(&entry(14, 12, &bob, Body::Deleted { message: message(12) }));
        window.push(&entry(15, 14, &bob, Body::Read { message: message(12) }));
        let found =
            |is_deleted| Lookup::Found(Target { id: message(12), conversation: HERE, sender: account(2), is_deleted });
        assert_eq!(window.look_up(message(12)), found(false), "only the sender's delete counts");
        window.push(&entry(16, 15, &ana, Body::Deleted { message: message(12) }));
        assert_eq!(window.look_up(message(12)), found(true));
        assert_eq!(window.look_up(message(13)), Lookup::Absent, "it was said elsewhere, or never");
        assert_eq!(window.look_up(message(15)), Lookup::Absent, "no message, but an event");
        assert_eq!(window.look_up(message(10)), Lookup::Unknown, "too old");
        assert_eq!(window.look_up(message(17)), Lookup::Unknown, "too new");
    }

    #[test]
    fn messages_that_were_imported_below_the_log_are_not_absent() {
        let ana = actor(2, "ana");
        let mut window = open_at(0, 8);
        let body = SignalBody::Typing { is_typing: true };
        window.push_signal(&Signal { conversation: HERE, actor: ana.clone(), body });
        assert_eq!(window.look_up(message(2)), Lookup::Unknown);
        window.push(&entry(7, 0, &ana, posted("the first in the log")));
        window.push(&entry(9, 7, &ana, posted("the second")));
        assert_eq!(window.look_up(message(2)), Lookup::Unknown);
        assert_eq!(window.look_up(message(8)), Lookup::Absent);
        assert!(matches!(window.look_up(message(7)), Lookup::Found(_)));
    }

    #[test]
    fn signals_are_news_to_others_and_events_to_those_behind() {
        let ana = actor(2, "ana");
        let mut window = open_at(10, 8);
        window.push(&entry(12, 10, &ana, posted("x")));
        let body = SignalBody::Typing { is_typing: true };
        window.push_signal(&Signal { conversation: HERE, actor: ana, body });
        let news = |reader, position| {
            let frames = window.frames_from(0).expect("all are there");
            frames.map(|frame| frame.is_news_to(account(reader), Position::new(position))).collect::<Vec<_>>()
        };
        assert_eq!(news(3, 10), [true, true]);
        assert_eq!(news(2, 10), [true, false]);
        assert_eq!(news(3, 12), [false, true]);
    }

    #[test]
    fn after_the_end_nothing_comes() {
        let ana = actor(2, "ana");
        let mut window = open_at(10, 8);
        window.push(&entry(12, 10, &ana, Body::ConversationDeleted));
        window.push(&entry(13, 12, &ana, posted("x")));
        window.close();
        assert_eq!((window.state(), window.head().get()), (State::Deleted, 12));
        assert_eq!(positions(&window, 0), Some(vec![]));
    }
}
