//! One reader's place in a conversation: in the room's window, or behind it in the past.

use std::sync::Arc;

use axum::extract::ws::Utf8Bytes;
use natter_model::id::{AccountId, Position};
use natter_wire::server;

use crate::batches::{Batches, Held};
use crate::frame::{Frame, Kind};
use crate::lobby::Seat;
use crate::metrics::{self, Present, Source};
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
    Frames(Vec<Utf8Bytes>),
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
            if frame.is_news_to(self.reader, position) {
                batch.push(frame.text.clone());
            }
            position = position.max(frame.position);
        }
        let has_caught_up = self.is_resuming && tick + taken == window.end();
        let state = window.state();
        drop(window);
        (self.tick, self.position, self.behind) = (Some(tick + taken), position, None);
        if self.is_resuming && !batch.frames.is_empty() {
            metrics::catch_up(Source::Window, 1, batch.frames.len());
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
            if frame.is_news_to(self.reader, self.position) {
                batch.push(frame.text.clone());
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
        metrics::catch_up(page.source(), 1, batch.frames.len());
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
    frames: Vec<Utf8Bytes>,
    n_bytes: usize,
    max_bytes: usize,
}

impl Batch {
    fn within(batches: &Batches) -> Self {
        Self { frames: Vec::new(), n_bytes: 0, max_bytes: batches.room() }
    }

    fn push(&mut self, text: Utf8Bytes) {
        self.n_bytes += text.len();
        self.frames.push(text);
    }

    fn is_full(&self) -> bool {
        self.frames.len() >= BATCH_FRAMES || self.n_bytes >= self.max_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HERE, Stage, account, actor, until_head};
    use futures_util::{FutureExt, poll};
    use natter_model::id::MessageId;
    use serde_json::Value;
    use std::pin::pin;
    use std::sync::atomic::Ordering;

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
    async fn many_who_ask_for_the_same_read_it_once() {
        let stage = Stage::with_window(4);
        let ana = actor(2, "ana");
        let seat = stage.seat().await;
        for n in 1..=300 {
            stage.post(&ana, &n.to_string()).await;
        }
        until_head(&seat, Position::new(300)).await;
        let mut expected = chat(1..=300);
        expected.push(caught_up(300));
        let mut cursors = Vec::new();
        for _ in 0..50 {
            cursors.push(Cursor::resuming(stage.seat().await, account(3), Position::START));
        }
        let all = cursors.iter_mut().map(async |cursor| heard(cursor, 301).await);
        for heard in futures_util::future::join_all(all).await {
            assert_eq!(heard, expected);
        }
        let n_pages = stage.persistence.n_pages.load(Ordering::SeqCst);
        assert!(n_pages < 10, "{n_pages} pages were read");
    }

    #[tokio::test]
    async fn while_persistence_is_away_the_log_tells() {
        let stage = Stage::with_window(4);
        let ana = actor(2, "ana");
        let seat = stage.seat().await;
        for n in 1..=300 {
            stage.post(&ana, &n.to_string()).await;
        }
        until_head(&seat, Position::new(300)).await;
        for since in [0, 1, 150, 294, 295, 296, 300] {
            stage.persistence.take_away(true);
            let mut cursor = Cursor::resuming(stage.seat().await, account(3), Position::new(since));
            let mut expected = chat(since + 1..=300);
            expected.push(caught_up(300));
            let n_frames = expected.len();
            let mut told = heard(&mut cursor, n_frames.min(10)).await;
            // It comes back in the middle.
            stage.persistence.take_away(false);
            let n_left = n_frames - told.len();
            told.extend(heard(&mut cursor, n_left).await);
            assert_eq!(told, expected, "since {since}");
        }
    }

    #[tokio::test]
    async fn what_nobody_can_tell_now_is_waited_for() {
        let stage = Stage::with_window(4);
        let ana = actor(2, "ana");
        let seat = stage.seat().await;
        for n in 1..=100 {
            stage.post(&ana, &n.to_string()).await;
        }
        until_head(&seat, Position::new(100)).await;
        stage.persistence.take_away(true);
        stage.log.forget(Position::new(50));
        let mut cursor = Cursor::resuming(seat, account(3), Position::new(20));
        let mut told = pin!(heard(&mut cursor, 81));
        let mut n_read = 0;
        while n_read < 2 {
            assert!(poll!(told.as_mut()).is_pending(), "nothing is skipped");
            n_read = stage.log.n_read.load(Ordering::SeqCst);
            tokio::task::yield_now().await;
        }
        stage.persistence.take_away(false);
        let mut expected = chat(21..=100);
        expected.push(caught_up(100));
        assert_eq!(told.await, expected);
    }

    #[tokio::test]
    async fn what_has_left_the_log_altogether_is_told_by_persistence() {
        let stage = Stage::with_window(4);
        let ana = actor(2, "ana");
        for n in 1..=3 {
            stage.post(&ana, &n.to_string()).await;
        }
        stage.log.forget(Position::new(10));
        let seat = stage.seat().await;
        assert!(seat.has_reached(Position::new(1)).await.expect("the log answers"));
        let mut cursor = Cursor::resuming(seat, account(3), Position::new(1));
        assert_eq!(heard(&mut cursor, 3).await, [chat([2, 3]), vec![caught_up(10)]].concat());
    }

    #[tokio::test]
    async fn a_gap_that_the_log_has_let_go_of_is_told_by_persistence() {
        let stage = Stage::with_window(100);
        let ana = actor(2, "ana");
        let mut cursor = Cursor::live(stage.seat().await, account(3));
        stage.post(&ana, "1").await;
        assert_eq!(heard(&mut cursor, 1).await, chat([1]));
        stage.log.deafen(true);
        for n in 2..=20 {
            stage.post(&ana, &n.to_string()).await;
        }
        stage.log.forget(Position::new(10));
        stage.log.deafen(false);
        stage.post(&ana, "21").await;
        assert_eq!(heard(&mut cursor, 20).await, chat(2..=21));
    }

    #[tokio::test]
    async fn who_is_removed_gets_nothing_behind_it() {
        let stage = Stage::with_window(8);
        let (ana, bob) = (actor(2, "ana"), actor(3, "bob"));
        let mut other = Cursor::live(stage.seat().await, account(4));
        let mut removed = Cursor::live(stage.seat().await, bob.id);
        stage.post(&ana, "for both").await;
        stage.remove(&bob).await;
        stage.post(&ana, "not for bob").await;
        assert_eq!(heard(&mut other, 2).await, chat([1, 3]));
        assert_eq!(heard(&mut removed, 1).await, chat([1]));
        assert_eq!(removed.next().await, Next::Removed);

        let seat = stage.seat().await;
        let mut again = Cursor::resuming(seat, bob.id, Position::START);
        assert_eq!(heard(&mut again, 3).await, [chat([1, 3]), vec![caught_up(3)]].concat(), "let in again");
    }

    #[tokio::test]
    async fn who_is_removed_while_far_behind_gets_nothing_more() {
        let stage = Stage::with_window(2);
        let (ana, bob) = (actor(2, "ana"), actor(3, "bob"));
        let mut slow = Cursor::live(stage.seat().await, bob.id);
        let mut resuming = Cursor::resuming(stage.seat().await, bob.id, Position::START);
        for n in 1..=5 {
            stage.post(&ana, &n.to_string()).await;
        }
        stage.remove(&bob).await;
        for n in 7..=9 {
            stage.post(&ana, &n.to_string()).await;
        }
        until_head(&stage.seat().await, Position::new(9)).await;
        assert_eq!(slow.next().await, Next::Removed);
        assert_eq!(resuming.next().await, Next::Removed);
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
