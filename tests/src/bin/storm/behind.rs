//! How fast somebody catches up who has missed everything.

use std::time::Instant;

use natter_tests::fixture::{Line as Message, Person, Room, World};
use natter_tests::stack::Shape;

use crate::line::Line;
use crate::report::Costs;

/// Reads so many events from the store, so many times at once, and prints how fast.
pub(crate) async fn run(n_events: u64, n_readers: usize) {
    let world = World {
        accounts: vec![Person::new(1, "ana"), Person::new(2, "bob")],
        conversations: vec![Room { id: 1, participants: vec![1, 2], created_at: None }],
        messages: (1..=n_events).map(message).collect(),
    };
    let stack = Shape::Real.start_with(&world).await;
    let edge = stack.edge(0);
    let token = Person::new(2, "bob").access_token();
    // Something that the log holds, so that there is a head.
    let mut writer = Line::open(edge, &format!("/ws/chat/1/?token={token}")).await.expect("bob is let in");
    writer.send(r#"{"content":"the last"}"#).await.expect("the line is open");
    writer.hear().await.expect("the line is open");

    let costs = Costs::now(&stack).await;
    let begun = Instant::now();
    let readers: Vec<_> = (0..n_readers)
        .map(|_| {
            let path = format!("/ws/chat/1/?token={token}&since=0");
            tokio::spawn(async move { crate::catches_up(edge, &path).await.1 })
        })
        .collect();
    for reader in readers {
        let n_frames = reader.await.expect("a reader catches up");
        assert_eq!(n_frames as u64, n_events + 1, "each event comes once");
    }
    let all = begun.elapsed();
    costs.tell_since(&stack).await;
    let n_frames = (n_events + 1) * n_readers as u64;
    println!("{n_frames} events in {all:.2?}: {:.0} events/s", n_frames as f64 / all.as_secs_f64());
}

fn message(id: u64) -> Message {
    Message {
        id,
        conversation: 1,
        sender: 1 + id % 2,
        content: Some(format!("something that is about as long as people write: {id}")),
        attachment: String::new(),
        timestamp: None,
        is_read: false,
        read_at: None,
        is_deleted: false,
        edited_at: None,
    }
}
