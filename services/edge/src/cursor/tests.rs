//! Readers over a real room, whatever they missed.

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
            Next::Frames(batch) => frames.extend(batch.iter().map(|outgoing| {
                let frame: Value = serde_json::from_str(&outgoing.text).expect("frames are JSON");
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
    stage.post_all(&ana, 1..=300).await;
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
    stage.post_all(&ana, 1..=300).await;
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
    stage.post_all(&ana, 1..=300).await;
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
    stage.post_all(&ana, 1..=100).await;
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
    stage.post_all(&ana, 1..=3).await;
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
    stage.post_all(&ana, 2..=20).await;
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
    stage.post_all(&ana, 1..=5).await;
    stage.remove(&bob).await;
    stage.post_all(&ana, 7..=9).await;
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
    stage.post_all(&ana, 2..=200).await;
    assert_eq!(heard(&mut cursor, 199).await, chat(2..=200));
}

#[tokio::test]
async fn a_client_that_is_ahead_of_the_window_hears_nothing_twice() {
    let stage = Stage::with_window(8);
    let ana = actor(2, "ana");
    let seat = stage.seat().await;
    stage.log.deafen(true);
    stage.post_all(&ana, 1..=3).await;
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
    stage.post_all(&ana, 1..=5).await;
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
