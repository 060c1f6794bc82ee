//! People in other rooms, who measure how long their messages take.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use natter_tests::fixture::Person;
use tokio::sync::watch;
use tokio::time::interval;

use crate::line::Line;

/// Between two messages of one writer: half of what a client may send.
const EVERY: Duration = Duration::from_millis(100);

/// The two who take part in this room. Nobody else has such ids.
pub(crate) fn pair(room: u64) -> [Person; 2] {
    [1, 2].map(|number| Person::new(1_000_000 + 2 * room + number, &format!("bystander {room}-{number}")))
}

/// Talks in so many rooms, from `first_room` on, until told to stop; returns how long each message took to its reader.
pub(crate) async fn talk(
    edge: SocketAddr,
    rooms: std::ops::Range<u64>,
    mut stop: watch::Receiver<bool>,
) -> Vec<Duration> {
    let begun = Instant::now();
    let (mut writers, mut readers) = (Vec::new(), Vec::new());
    for room in rooms {
        for (person, lines) in pair(room).into_iter().zip([&mut writers, &mut readers]) {
            let line = Line::open(edge, &format!("/ws/chat/{room}/?token={}", person.access_token())).await;
            lines.push(line.expect("a bystander is let in"));
        }
    }
    let readers: Vec<_> = readers
        .into_iter()
        .map(|mut reader| {
            tokio::spawn(async move {
                let mut took = Vec::new();
                while let Ok(frame) = reader.hear_json().await {
                    let said = frame["content"].as_str().and_then(|text| text.parse().ok()).map(Duration::from_micros);
                    took.extend(said.map(|said| begun.elapsed().saturating_sub(said)));
                    if frame["content"] == "end" {
                        break;
                    }
                }
                took
            })
        })
        .collect();
    let mut ticks = interval(EVERY / u32::try_from(writers.len().max(1)).expect("there are few"));
    let mut turn = 0;
    while !*stop.borrow_and_update() {
        ticks.tick().await;
        let now = begun.elapsed().as_micros();
        let n_writers = writers.len();
        writers[turn % n_writers].send(&format!(r#"{{"content":"{now}"}}"#)).await.expect("a bystander may talk");
        turn += 1;
    }
    for writer in &mut writers {
        writer.send(r#"{"content":"end"}"#).await.expect("a bystander may talk");
    }
    let mut took = Vec::new();
    for reader in readers {
        took.extend(reader.await.expect("a bystander hears the end"));
    }
    took
}
