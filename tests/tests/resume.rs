//! Coming back and hearing what one missed.

use std::collections::BTreeMap;

use natter_tests::client::Client;
use natter_tests::frame::Frame;
use natter_tests::stack::{Shape, Stack};
use natter_tests::story;
use natter_tests::wait::until;
use serde_json::json;

/// With windows so small that everybody is soon behind them.
async fn starts_with_small_windows() -> Stack {
    Shape::Real.start_set(&[("edge", "EDGE_WINDOW_FRAMES", "8")]).await
}

/// Says so many things, more than one device may say in this time; returns the frames.
async fn says_much(ana: &Client, n_messages: usize) -> Vec<Frame> {
    let mut devices = Vec::new();
    for _ in 0..n_messages.div_ceil(80) {
        let mut device = ana.elsewhere();
        device.joins(ana.conversation()).await;
        devices.push(device);
    }
    let n_devices = devices.len();
    let mut said = Vec::new();
    for number in 0..n_messages {
        said.push(devices[number % n_devices].says(&number.to_string()).await);
    }
    said
}

/// What a conversation looks like to somebody who was shown these frames: messages with their contents, empty once they
/// are deleted, and how far each has read.
#[derive(Debug, Default, PartialEq)]
struct Screen {
    messages: BTreeMap<u64, String>,
    read: BTreeMap<String, u64>,
}

impl Screen {
    fn of<'a>(frames: impl IntoIterator<Item = &'a Frame>) -> Self {
        let mut screen = Self::default();
        for frame in frames {
            screen.show(frame);
        }
        screen
    }

    fn show(&mut self, frame: &Frame) {
        let id = frame.message_id();
        match frame.kind() {
            "chat_message" => drop(self.messages.insert(id, frame.text("content").to_owned())),
            "edit" => drop(self.messages.insert(id, frame.text("content").to_owned())),
            "delete" => drop(self.messages.insert(id, String::new())),
            "read_receipt" => drop(self.read.insert(frame.text("reader").to_owned(), id)),
            kind => panic!("{kind} is not expected here"),
        }
    }
}

/// Everything until the word that it has caught up, which has to come once. In order, and behind `since`.
async fn missed_since(client: &mut Client, since: u64) -> Vec<Frame> {
    client.reconnects_after(since).await;
    let (mut missed, mut last): (Vec<Frame>, u64) = (Vec::new(), since);
    loop {
        let frame = client.hears_next().await;
        if frame.kind() == "caught_up" {
            assert!(frame.seq() >= last, "caught up at {} behind {last}", frame.seq());
            return missed;
        }
        assert!(frame.seq() > last, "{frame} comes after {last}");
        last = frame.seq();
        missed.push(frame);
    }
}

/// Comes back again and again, each time on the other edge, until it has heard `end`.
async fn comes_and_goes(mut client: Client, mut seen: u64, end: &str) -> Vec<Frame> {
    let mut heard: Vec<Frame> = Vec::new();
    for round in 0.. {
        client = client.on_edge(round);
        client.reconnects_after(seen).await;
        let mut n_left = 3 + round % 11;
        let mut has_caught_up = false;
        while n_left > 0 {
            let frame = client.hears_next().await;
            if frame.kind() == "caught_up" {
                assert!(!std::mem::replace(&mut has_caught_up, true), "it is told once");
                continue;
            }
            seen = frame.seq();
            let is_end = frame["content"] == end;
            heard.push(frame);
            if is_end {
                return heard;
            }
            n_left -= 1;
        }
        client.drops_the_line();
    }
    heard
}

story! {
    async fn a_client_that_reconnects_hears_what_it_missed(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, mut bob) = stack.two_in_a_chat().await;
        let seen = bob.hears(ana.says("one").await).await;
        bob.drops_the_line();
        let missed = ana.says("two").await;
        bob.reconnects_after(seen).await;
        bob.catches_up_on([missed], seen).await;
    }
}

story! {
    /// In order, each once, then the word that this was all, then what is new.
    async fn what_was_missed_comes_in_order_and_once(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, mut bob) = stack.two_in_a_chat().await;
        let one = ana.says("one").await;
        let seen = bob.hears(one.clone()).await;
        bob.drops_the_line();
        let two = ana.says("two").await;
        let missed = [two.clone(), ana.edits(&one, "first").await, ana.says("three").await, ana.deletes(&two).await];

        bob.reconnects_after(seen).await;
        bob.catches_up_on(missed, seen).await;
        bob.hears(ana.says("four").await).await;
    }
}

story! {
    /// Typing is not replayed, and who missed nothing is told so.
    async fn who_missed_nothing_is_told_so(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, mut bob) = stack.two_in_a_chat().await;
        let mut tablet = bob.elsewhere().on_edge(1);
        tablet.joins(ana.conversation()).await;
        let one = ana.says("one").await;
        tablet.hears(one.clone()).await;
        let seen = bob.hears(one).await;
        bob.drops_the_line();
        ana.types(true).await;
        tablet.hears_typing(&ana, true).await;
        bob.reconnects_after(seen).await;
        bob.catches_up_on([], seen).await;
        bob.hears(ana.says("two").await).await;
    }
}

story! {
    /// Further behind than any room keeps in memory, and on the edge where nobody else is.
    async fn a_long_absence_is_made_up_for(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, mut bob) = stack.two_in_a_chat().await;
        let seen = bob.hears(ana.says("start").await).await;
        bob.drops_the_line();
        let missed = says_much(&ana, 400).await;
        bob.reconnects_after(seen).await;
        bob.catches_up_on(missed, seen).await;
        bob.hears(ana.says("end").await).await;
    }
}

story! {
    /// From the very beginning: everything that was ever said and is not too old for the log.
    async fn since_nought_tells_everything(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, mut bob) = stack.two_in_a_chat().await;
        bob.drops_the_line();
        let all = [ana.says("one").await, ana.says("two").await];
        bob.reconnects_after(0).await;
        bob.catches_up_on(all, 0).await;
    }
}

story! {
    /// The seams: between what is in memory, what is stored, what is only in the log, and what comes just now.
    async fn who_comes_and_goes_while_messages_pour_in_hears_each_once(shape: Shape) {
        let stack = match shape {
            Shape::Local => shape.start().await,
            Shape::Real => starts_with_small_windows().await,
        };
        let (mut ana, mut bob) = stack.two_in_a_chat().await;
        let seen = bob.hears(ana.says("start").await).await;
        let readers = (0..4).map(|_| tokio::spawn(comes_and_goes(bob.elsewhere(), seen, "end"))).collect::<Vec<_>>();
        let mut said = says_much(&ana, 400).await;
        said.push(ana.says("end").await);
        for reader in readers {
            let heard = reader.await.expect("a reader hears the end");
            assert_eq!(heard.len(), said.len());
            assert_eq!(heard, said);
        }
    }
}

/// Much said, some of it changed, taken back and read; returns what was heard of it live.
async fn much_happens(ana: &mut Client, bob: &mut Client) -> Vec<Frame> {
    let mut witness = bob.elsewhere();
    witness.joins(ana.conversation()).await;
    let mut said = Vec::new();
    for number in 0..60 {
        said.push(ana.says(&number.to_string()).await);
    }
    for number in (0..60).step_by(7) {
        ana.edits(&said[number], "first").await;
        ana.edits(&said[number], "second").await;
    }
    for number in (0..60).step_by(10) {
        ana.deletes(&said[number]).await;
    }
    bob.reads(&said[10]).await;
    bob.reads(&said[50]).await;
    let end = ana.says("end").await;
    let mut heard = Vec::new();
    while heard.last() != Some(&end) {
        heard.push(witness.hears_next().await);
    }
    heard
}

story! {
    /// Who comes back sees in the end what those see who were there, wherever they stood, and is told less. No room
    /// keeps anything after a restart.
    async fn what_was_superseded_is_left_out(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, mut bob) = stack.two_in_a_chat().await;
        let mut live = much_happens(&mut ana, &mut bob).await;
        stack.crashes().await;
        stack.comes_back().await;
        ana.reconnects().await;
        for (round, known) in [0, 1, 20, 59, 70, live.len() - 1, live.len()].into_iter().enumerate() {
            let since = known.checked_sub(1).map_or(0, |last| live[last].seq());
            let mut late = bob.elsewhere().on_edge(round);
            let missed = missed_since(&mut late, since).await;
            assert!(missed.len() <= live.len() - known, "since {since}");
            assert!(missed.len() < live.len() - known || known > 60, "since {since} nothing was left out");
            let screen = Screen::of(live[..known].iter().chain(&missed));
            assert_eq!(screen, Screen::of(&live), "since {since}");
            live.push(ana.says("live again").await);
            late.hears(live[live.len() - 1].clone()).await;
        }
    }
}

/// While the store is away the log tells all, word for word; once it is back there is no seam.
#[tokio::test]
async fn the_log_tells_while_postgres_is_down() {
    let stack = starts_with_small_windows().await;
    let (mut ana, mut bob) = stack.two_in_a_chat().await;
    let start = ana.says("start").await;
    bob.hears(start.clone()).await;
    let mut late = bob.elsewhere();
    // So that nobody has to be asked who they are while Postgres is away.
    late.reconnects().await;
    stack.deployment().await.servers().postgres.stop().await;
    let mut live = Vec::new();
    for number in 0..30 {
        live.push(ana.says(&number.to_string()).await);
    }
    let changed = live[29].clone();
    live.extend([ana.edits(&changed, "first").await, ana.edits(&changed, "second").await]);
    for frame in &live {
        bob.hears(frame.clone()).await;
    }

    late.reconnects_after(start.seq()).await;
    late.catches_up_on(live.clone(), start.seq()).await;
    stack.deployment().await.servers().postgres.start().await;
    let screen = Screen::of(&live);
    until("the store tells again", async || {
        let missed = missed_since(&mut late, start.seq()).await;
        assert_eq!(Screen::of(&missed), screen);
        (missed.len() < live.len()).then_some(())
    })
    .await;
    let counted = stack.deployment().await.service("edge-2").metrics().await;
    for source in ["log", "store"] {
        assert!(counted.value(&format!("natter_catch_up_events_total{{source=\"{source}\"}}")) > 0.0, "{source}");
    }
}

/// A client that has seen more than there is.
#[tokio::test]
async fn a_position_ahead_of_the_log_is_unknown() {
    let stack = Stack::local().await;
    let (mut ana, mut bob) = stack.two_in_a_chat().await;
    let seen = bob.hears(ana.says("one").await).await;
    bob.reconnects_after(seen + 1000).await;
    assert_eq!(bob.is_told().await["code"], "position_unknown");
    let caught_up = bob.hears_next().await;
    assert_eq!(caught_up.0, json!({"type": "caught_up", "seq": seen}));
    bob.hears(ana.says("two").await).await;
}
