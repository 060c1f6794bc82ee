//! The Django chat of the tests is as the one that Natter takes the place of: it answers as was recorded.

use std::collections::BTreeMap;

use natter_tests::client::Client;
use natter_tests::django::{Django, Layer};
use natter_tests::frame::Frame;
use natter_tests::servers::redis::Redis;
use natter_tests::socket::Socket;
use natter_tests::vectors::ws::{GroupEvent, Outcome, Vectors};
use natter_tests::vectors::{Comparison, MessageIds};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Error;

/// A Django with the recording's world, on SQLite.
async fn django(vectors: &Vectors, layer: Layer, redis: &Redis, folder: &tempfile::TempDir) -> Django {
    let database = format!("sqlite://{}", folder.path().join("django.sqlite").display());
    let mut django = Django::new(&database, layer, redis).with(&vectors.world);
    django.start().await;
    django
}

async fn client(vectors: &Vectors, django: &Django, id: u64, token: &str) -> Client {
    let mut client = Client::at(django.address(), id, vectors.username(id), &vectors.tokens[token]);
    client.joins(1).await;
    client
}

/// Each URL is let in, or refused before the handshake is answered.
async fn every_handshake(vectors: &Vectors, django: &Django) {
    for connect in &vectors.connects {
        let url = format!("ws://{}{}", django.address(), vectors.fill_in(&connect.url));
        let status = match Socket::try_open(&url).await {
            Ok(_) => None,
            Err(Error::Http(answer)) => Some(answer.status().as_u16()),
            Err(error) => panic!("{}: {error}", connect.url),
        };
        assert_eq!(status, connect.close_code.map(|_| 403), "{}", connect.url);
    }
}

/// Each frame is answered and relayed as recorded.
async fn every_frame(vectors: &Vectors, django: &Django) {
    let mut clients = BTreeMap::from([
        ("me", client(vectors, django, 2, "me").await),
        ("me2", client(vectors, django, 2, "me").await),
        ("other", client(vectors, django, 3, "other").await),
    ]);
    let mut ids = MessageIds::new(6);
    for (number, case) in vectors.frames.iter().enumerate() {
        let heard = case.exchange(&mut clients, number).await;
        let differences = case.differences(&heard, &mut Comparison { ids: &mut ids, additions: &[] });
        assert!(differences.is_empty(), "frame {number} {:.200}: {}", case.text(), differences.join("\n"));
    }
    for row in &vectors.stored {
        let id = ids.get(row.id).expect("every recorded message was shown");
        let reader = if row.conversation == 1 { "me" } else { "other" };
        let stored = clients[reader].get(&format!("/api/chat/messages/{id}/")).await.expect_status(200);
        assert!(row.says(stored["content"].as_str().expect("a message has content")), "{row:?}: {}", stored.text);
        let state = json!([stored["sender"], stored["is_read"], stored["is_deleted"], !stored["edited_at"].is_null()]);
        assert_eq!(state, json!([row.sender, row.is_read, row.is_deleted, row.edited]), "{row:?}");
    }
}

/// What another process puts into the group is shown as recorded, or ends the connection.
async fn every_event(vectors: &Vectors, django: &Django) {
    let mut clients = [client(vectors, django, 2, "me").await, client(vectors, django, 3, "other").await];
    let (deadly, harmless): (Vec<&GroupEvent>, Vec<&GroupEvent>) =
        vectors.events.iter().partition(|event| matches!(event.me, Outcome::Dies { .. }));
    assert!(!deadly.is_empty() && !harmless.is_empty());

    let events: Vec<Value> = harmless.iter().map(|case| case.event.clone()).collect();
    django.tells_the_group("chat_1", &events);
    for case in harmless {
        for (client, outcome) in clients.iter_mut().zip([&case.me, &case.other]) {
            let Outcome::Frames(frames) = outcome else { panic!("harmless to one only: {}", case.event) };
            for frame in frames {
                assert_eq!(client.hears_next().await, Frame(frame.clone()), "after {}", case.event);
            }
        }
    }
    // One of them stands for the others: each costs a new Python.
    django.tells_the_group("chat_1", &[deadly[0].event.clone()]);
    for client in &mut clients {
        assert_eq!(client.is_sent_away().await.code, 1011);
    }
}

#[tokio::test]
async fn it_answers_as_recorded_on_the_core_layer() {
    is_as_recorded(Layer::Core).await;
}

#[tokio::test]
async fn it_answers_as_recorded_on_the_pubsub_layer() {
    is_as_recorded(Layer::Pubsub).await;
}

async fn is_as_recorded(layer: Layer) {
    let (redis, folder) = (Redis::started().await, tempfile::tempdir().expect("a temporary folder"));
    let vectors = Vectors::load();
    let django = django(&vectors, layer, &redis, &folder).await;
    every_handshake(&vectors, &django).await;
    every_frame(&vectors, &django).await;
    every_event(&vectors, &django).await;
}
