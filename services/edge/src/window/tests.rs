//! What a window holds, and what it knows.

use super::*;
use crate::testing::{HERE, account, actor, entry, posted, relayed};
use natter_model::event::{Origin, SignalBody};

fn open_at(head: u64, max_frames: usize) -> Window {
    open_within(&budget(usize::MAX), head, max_frames)
}

fn open_within(of_all: &Arc<Budget>, head: u64, max_frames: usize) -> Window {
    let mut window = Window::new(HERE, max_frames, of_all);
    window.open(Position::new(head));
    window
}

fn budget(n_bytes: usize) -> Arc<Budget> {
    Budget::new(n_bytes, metrics::Gauge::noop())
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
fn few_frames_are_kept_while_all_windows_hold_too_much() {
    let ana = actor(2, "ana");
    let of_all = budget(1 << 20);
    let mut window = open_within(&of_all, 0, 100);
    let says = |window: &mut Window, positions: std::ops::RangeInclusive<u64>| {
        positions.for_each(|position| window.push(&entry(position, position - 1, &ana, posted("x"))));
    };
    says(&mut window, 1..=50);
    assert_eq!(window.floor(), Position::START);
    let elsewhere = of_all.hold(1 << 20);
    says(&mut window, 51..=51);
    assert_eq!((window.floor().get(), window.head().get()), (35, 51));
    drop(elsewhere);
    says(&mut window, 52..=60);
    assert_eq!((window.floor().get(), window.head().get()), (35, 60));
    drop(window);
    assert_eq!(of_all.free(), 1 << 20);
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
fn a_message_is_found_by_the_id_that_another_system_gave_it() {
    let ana = actor(2, "ana");
    let mut window = open_at(100, 3);
    window.push(&entry(112, 100, &ana, relayed(5, "x")));
    window.push(&entry(113, 112, &ana, relayed(6, "x")));
    window.push(&entry(114, 113, &ana, Body::Deleted { message: message(6) }));
    let found =
        |id, is_deleted| Lookup::Found(Target { id: message(id), conversation: HERE, sender: account(2), is_deleted });
    assert_eq!(window.look_up(message(5)), found(5, false));
    assert_eq!(window.look_up(message(6)), found(6, true));
    assert_eq!(window.look_up(message(112)), Lookup::Absent, "its place is not its id");
    window.push(&entry(115, 114, &ana, posted("x")));
    assert_eq!(window.look_up(message(5)), Lookup::Unknown, "it has left");
}

#[test]
fn a_message_that_was_relayed_twice_is_shown_once() {
    let ana = actor(2, "ana");
    let mut window = open_at(100, 8);
    window.push(&entry(112, 100, &ana, relayed(5, "x")));
    window.push(&entry(113, 112, &ana, relayed(5, "x")));
    window.push(&entry(114, 113, &ana, relayed(6, "x")));
    assert_eq!((positions(&window, 0), window.head().get()), (Some(vec![112, 114]), 114));
}

#[test]
fn messages_that_were_imported_below_the_log_are_not_absent() {
    let ana = actor(2, "ana");
    let mut window = open_at(0, 8);
    let body = SignalBody::Typing { is_typing: true };
    window.push_signal(&Signal { conversation: HERE, actor: ana.clone(), origin: Origin::Natter, body });
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
    window.push_signal(&Signal { conversation: HERE, actor: ana, origin: Origin::Natter, body });
    let news = |reader, position| {
        let frames = window.frames_from(0).expect("all are there");
        frames.map(|frame| frame.news_to(account(reader), Position::new(position)).is_some()).collect::<Vec<_>>()
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
