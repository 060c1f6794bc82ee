//! One reader's place in a conversation: in the room's window, or behind it in the log.

use axum::extract::ws::Utf8Bytes;
use natter_model::id::{AccountId, Position};
use natter_wire::server;
use tracing::warn;

use crate::frame::Frame;
use crate::lobby::Seat;
use crate::window::{State, Tick};

/// Frames handed out at once.
const BATCH_FRAMES: usize = 128;
/// Bytes of frames handed out at once; the last one may go beyond.
const BATCH_BYTES: usize = 64 * 1024;

/// Hands out each event behind its position exactly once, in order, at the pace it is asked. Live, resuming and too
/// slow for the window differ only in how far it stands behind.
pub(crate) struct Cursor {
    seat: Seat,
    reader: AccountId,
    position: Position,
    /// Where it stands in the window. `None`: behind it.
    tick: Option<Tick>,
    /// To be told when nothing is left of what was missed.
    is_resuming: bool,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// These frames, at least one.
    Frames(Vec<Utf8Bytes>),
    /// Nothing: the conversation is deleted.
    Deleted,
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
        Self { seat, reader, position, tick: Some(tick), is_resuming: false }
    }

    /// Begins behind `since`, a position that the log has reached, and tells when it has caught up.
    pub(crate) fn resuming(seat: Seat, reader: AccountId, since: Position) -> Self {
        let tick = seat.window.borrow().tick_after(since);
        Self { seat, reader, position: since, tick, is_resuming: true }
    }

    /// Waits for frames. Safe to drop while waiting.
    pub(crate) async fn next(&mut self) -> Next {
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
                    if let Some(next) = Box::pin(self.read_log(goal)).await {
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
            return Step::Read { goal: window.floor() };
        };
        let mut batch = Batch::default();
        let mut position = self.position;
        let mut taken = 0;
        for frame in fresh {
            if batch.is_full() {
                break;
            }
            taken += 1;
            if frame.is_news_to(self.reader, position) {
                batch.push(frame.text.clone());
            }
            position = position.max(frame.position);
        }
        let has_caught_up = self.is_resuming && tick + taken == window.end();
        let state = window.state();
        drop(window);
        (self.tick, self.position) = (Some(tick + taken), position);
        if has_caught_up {
            self.is_resuming = false;
            batch.push(server::caught_up(position).into());
        }
        match state {
            _ if !batch.frames.is_empty() => Step::Hand(Next::Frames(batch.frames)),
            State::Opening | State::Open => Step::Wait,
            State::Deleted => Step::Hand(Next::Deleted),
            State::Closed => Step::Hand(Next::Closed),
        }
    }

    async fn read_log(&mut self, goal: Position) -> Option<Next> {
        self.tick = None;
        let entries = self.seat.reader.read(self.position).await;
        if entries.is_empty() {
            let (after, up_to) = (self.position, goal);
            warn!(reader = %self.reader, %after, %up_to, "the log no longer has what a client missed");
            self.position = self.position.max(goal);
            return None;
        }
        let mut batch = Batch::default();
        for entry in &entries {
            if batch.is_full() {
                break;
            }
            match Frame::of_event(entry) {
                Some(frame) => batch.push(frame.text),
                None if batch.frames.is_empty() => return Some(Next::Deleted),
                None => break,
            }
            self.position = entry.position;
        }
        Some(Next::Frames(batch.frames))
    }
}

enum Step {
    Hand(Next),
    Wait,
    Read { goal: Position },
}

#[derive(Default)]
struct Batch {
    frames: Vec<Utf8Bytes>,
    n_bytes: usize,
}

impl Batch {
    fn push(&mut self, text: Utf8Bytes) {
        self.n_bytes += text.len();
        self.frames.push(text);
    }

    fn is_full(&self) -> bool {
        self.frames.len() >= BATCH_FRAMES || self.n_bytes >= BATCH_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HERE, Stage, account, actor, until_head};
    use futures_util::FutureExt;
    use natter_model::id::MessageId;
    use serde_json::Value;

    /// The types and positions of the frames that come next.
    async fn heard(cursor: &mut Cursor, n_frames: usize) -> Vec<(String, Option<u64>)> {
        let mut frames = Vec::new();
        while frames.len() < n_frames {
            match cursor.next().await {
                Next::Frames(texts) => frames.extend(texts.iter().map(|text| {
                    let frame: Value = serde_json::from_str(text).expect("frames are JSON");
                    (frame["type"].as_str().expect("a type").to_owned(), frame["seq"].as_u64())
                })),
                end => panic!("{end:?} after {frames:?}"),
            }
        }
        frames
    }

    fn chat(positions: impl IntoIterator<Item = u64>) -> Vec<(String, Option<u64>)> {
        positions.into_iter().map(|position| ("chat_message".to_owned(), Some(position))).collect()
    }

    fn caught_up(position: u64) -> (String, Option<u64>) {
        ("caught_up".to_owned(), Some(position))
    }

    #[tokio::test]
    async fn live_begins_with_what_is_new() {
        let stage = Stage::with_window(8);
        let ana = actor(2, "ana");
        stage.post(&ana, "before").await;
        let mut cursor = Cursor::live(stage.seat().await, account(3));
        assert!(cursor.next().now_or_never().is_none());
        stage.post(&ana, "after").await;
        assert_eq!(heard(&mut cursor, 1).await, chat([2]));
    }

    #[tokio::test]
    async fn resuming_is_gapless_wherever_it_begins() {
        let stage = Stage::with_window(4);
        let ana = actor(2, "ana");
        let _keeps_the_room_open = stage.seat().await;
        for n in 1..=300 {
            stage.post(&ana, &n.to_string()).await;
        }
        until_head(&stage.seat().await, Position::new(300)).await;
        for since in [0, 1, 150, 294, 295, 296, 297, 299, 300] {
            let mut cursor = Cursor::resuming(stage.seat().await, account(3), Position::new(since));
            let mut expected = chat(since + 1..=300);
            expected.push(caught_up(300));
            assert_eq!(heard(&mut cursor, expected.len()).await, expected, "since {since}");
            assert!(cursor.next().now_or_never().is_none());
        }
    }

    #[tokio::test]
    async fn who_falls_out_of_the_window_misses_nothing() {
        let stage = Stage::with_window(4);
        let ana = actor(2, "ana");
        let mut cursor = Cursor::live(stage.seat().await, account(3));
        stage.post(&ana, "1").await;
        assert_eq!(heard(&mut cursor, 1).await, chat([1]));
        for n in 2..=200 {
            stage.post(&ana, &n.to_string()).await;
        }
        assert_eq!(heard(&mut cursor, 199).await, chat(2..=200));
    }

    #[tokio::test]
    async fn a_client_that_is_ahead_of_the_window_hears_nothing_twice() {
        let stage = Stage::with_window(8);
        let ana = actor(2, "ana");
        let seat = stage.seat().await;
        stage.log.deafen(true);
        for n in 1..=3 {
            stage.post(&ana, &n.to_string()).await;
        }
        assert!(seat.has_reached(Position::new(3)).await.expect("the log answers"));
        assert!(!seat.has_reached(Position::new(4)).await.expect("the log answers"));
        let mut cursor = Cursor::resuming(seat, account(3), Position::new(2));
        assert_eq!(heard(&mut cursor, 1).await, [caught_up(2)]);
        stage.log.deafen(false);
        stage.post(&ana, "4").await;
        assert_eq!(heard(&mut cursor, 2).await, chat([3, 4]));
    }

    #[tokio::test]
    async fn a_deleted_conversation_ends_after_its_last_event() {
        let stage = Stage::with_window(2);
        let ana = actor(2, "ana");
        let mut live = Cursor::live(stage.seat().await, account(3));
        let seat = stage.seat().await;
        for n in 1..=5 {
            stage.post(&ana, &n.to_string()).await;
        }
        stage.actions.delete_conversation(&ana, HERE).await.expect("the log takes it");
        until_head(&seat, Position::new(6)).await;
        let mut late = Cursor::resuming(seat, account(3), Position::START);
        for cursor in [&mut live, &mut late] {
            assert_eq!(heard(cursor, 5).await[..5], chat(1..=5));
        }
        assert_eq!(live.next().await, Next::Deleted);
        assert!(matches!(late.next().await, Next::Frames(_)), "it has caught up");
        assert_eq!(late.next().await, Next::Deleted);
    }

    #[tokio::test]
    async fn typing_is_for_the_others() {
        let stage = Stage::with_window(8);
        let (ana, bob) = (actor(2, "ana"), actor(3, "bob"));
        let mut own = Cursor::live(stage.seat().await, ana.id);
        let mut other = Cursor::live(stage.seat().await, bob.id);
        stage.actions.typing(&ana, HERE, true).await.expect("the log passes it on");
        let post = stage.post(&ana, "x").await;
        let target = crate::actions::Target {
            id: MessageId::new(post.position.get()).expect("an id"),
            conversation: HERE,
            sender: ana.id,
            is_deleted: false,
        };
        stage.actions.mark_read(&bob, target).await.expect("the log takes it");
        let read = ("read_receipt".to_owned(), Some(2));
        assert_eq!(heard(&mut own, 2).await, [chat([1]), vec![read.clone()]].concat());
        assert_eq!(heard(&mut other, 3).await, [vec![("typing".to_owned(), None)], chat([1]), vec![read]].concat());
    }
}
