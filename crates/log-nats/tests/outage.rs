//! What happens when NATS comes late, goes away and comes back, or was never set up.

mod provisioned;

use std::time::Duration;

use natter_log::contract::fixtures::{conversation, positions_of, posted, typing};
use natter_log::port::{Appended, Backlog, Heard, Log, LogError};
use natter_log_nats::{JetStream, State, StreamSettings, provision};
use natter_model::id::Position;
use natter_tests::proxy::{Cut, Proxy, Upstream};
use natter_tests::servers::jetstream;
use natter_tests::servers::nats::{NatsCluster, NatsServer};
use natter_tests::wait::{until, within_patience};
use provisioned::{Provisioned, at, becomes};

#[tokio::test(flavor = "multi_thread")]
async fn the_log_waits_for_its_server_and_its_stream() {
    let mut server = NatsServer::new();
    let log = JetStream::connect(&at(&server.url())).await.expect("the URL is one");
    assert_eq!(*log.state().borrow(), State::Connecting);
    let refused = log.signal(&typing(conversation(1), true)).await;
    assert!(matches!(refused, Err(LogError::Unavailable(_))), "{refused:?}");

    server.start().await;
    becomes(&log, State::NoStream).await;
    let refused = log.append(&posted(conversation(1), "too early")).await;
    assert!(matches!(refused, Err(LogError::NotProvisioned(_))), "{refused:?}");
    let refused = log.head(conversation(1)).await;
    assert!(matches!(refused, Err(LogError::NotProvisioned(_))), "{refused:?}");
    let refused = log.consume().await.err();
    assert!(matches!(refused, Some(LogError::NotProvisioned(_))), "{refused:?}");

    provision(&at(&server.url()), &StreamSettings::default()).await.expect("the server takes the stream");
    becomes(&log, State::Ready).await;
    log.append(&posted(conversation(1), "now")).await.expect("the log takes it");
}

#[tokio::test]
async fn a_bad_url_is_an_error_at_once() {
    for url in ["", "http://127.0.0.1:4222", "nats://"] {
        assert!(JetStream::connect(&at(url)).await.is_err(), "{url}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_hears_of_an_interruption_and_then_goes_on() {
    let Provisioned { log, mut server } = Provisioned::new(Position::START).await;
    let here = conversation(1);
    let mut feed = log.follow(here).await.expect("it can be followed");
    let before = posted(here, "before");
    let first = log.append(&before).await.expect("the log takes it").position;
    assert!(matches!(feed.next().await, Some(Heard::Entry(entry, None)) if entry.event == before));

    server.kill();
    becomes(&log, State::Connecting).await;
    let refused = log.append(&posted(here, "lost")).await;
    assert!(matches!(refused, Err(LogError::Unavailable(_))), "{refused:?}");
    server.start().await;

    assert_eq!(feed.next().await, Some(Heard::Interrupted));
    assert_eq!(log.head(here).await.expect("the log answers"), first);
    let after = posted(here, "after");
    let second = log.append(&after).await.expect("the log takes it").position;
    let Some(Heard::Entry(heard, None)) = feed.next().await else { panic!("the entry is heard") };
    assert_eq!((heard.position, heard.previous, heard.event), (second, first, after));
    let again = log.append(&before).await.expect("the log takes it");
    assert_eq!(again, Appended { position: first, duplicate: true });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_hears_that_another_server_leads_the_stream() {
    let mut cluster = NatsCluster::new(3);
    cluster.start().await;
    let access = at(&cluster.url());
    let settings = StreamSettings { replicas: Some(3), ..StreamSettings::default() };
    until("the servers take the stream", async || provision(&access, &settings).await.ok()).await;
    let log = JetStream::connect(&access).await.expect("the URL is one");
    becomes(&log, State::Ready).await;
    let here = conversation(1);
    let mut feed = log.follow(here).await.expect("it can be followed");
    let event = posted(here, "before");
    log.append(&event).await.expect("the log takes it");
    assert!(matches!(feed.next().await, Some(Heard::Entry(entry, None)) if entry.event == event));

    let port = cluster.servers[0].port();
    let stepped_down = async || jetstream::ask(port, "STREAM.LEADER.STEPDOWN.CHAT", "").await.ok();
    until("the leader steps down", stepped_down).await;
    let heard = within_patience("another one is noticed", feed.next()).await;
    assert_eq!(heard, Some(Heard::Interrupted));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_outlives_a_short_outage() {
    let Provisioned { log, mut server } = Provisioned::new(Position::START).await;
    let here = conversation(1);
    server.kill();
    let event = posted(here, "patience");
    let (appended, ()) = tokio::join!(log.append(&event), server.start());
    let appended = appended.expect("the log takes it once it is back");
    let entries = log.read(here, Position::START, 9).await.expect("the log reads");
    assert_eq!(entries.iter().map(|entry| entry.position).collect::<Vec<_>>(), [appended.position]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_goes_on_after_an_outage() {
    let Provisioned { log, mut server } = Provisioned::new(Position::START).await;
    let mut consumer = log.consume().await.expect("there is a backlog");
    let first = log.append(&posted(conversation(1), "one")).await.expect("the log takes it").position;
    let held = positions_of(&consumer.next(9).await.expect("it delivers"));
    assert_eq!(held, [first]);
    // Waits while the server goes away and comes back.
    let waiting = tokio::spawn(async move {
        loop {
            match consumer.next(9).await {
                Ok(deliveries) => return (consumer, positions_of(&deliveries)),
                Err(LogError::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(50)).await,
                Err(error) => panic!("{error}"),
            }
        }
    });
    server.kill();
    becomes(&log, State::Connecting).await;
    server.start().await;
    becomes(&log, State::Ready).await;
    let second = log.append(&posted(conversation(1), "two")).await.expect("the log takes it").position;

    let (mut consumer, mut delivered) = waiting.await.expect("it does not panic");
    while !delivered.contains(&first) || !delivered.contains(&second) {
        delivered.extend(positions_of(&consumer.next(9).await.expect("it delivers")));
    }
    consumer.acknowledge(&delivered).await.expect("they are acknowledged");
    assert_eq!(log.floor().await.expect("the log answers"), second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_is_left_and_used_again_when_it_runs_on() {
    let Provisioned { log, server } = Provisioned::new(Position::START).await;
    let here = conversation(1);
    let mut feed = log.follow(here).await.expect("it can be followed");
    server.process().expect("it runs").pause();
    let event = posted(here, "into the void");
    let refused = log.append(&event).await;
    assert!(matches!(refused, Err(LogError::Unavailable(_))), "{refused:?}");
    becomes(&log, State::Connecting).await;
    let refused = log.head(here).await;
    assert!(matches!(refused, Err(LogError::Unavailable(_))), "{refused:?}");

    server.process().expect("it runs").resume();
    becomes(&log, State::Ready).await;
    let position = log.append(&event).await.expect("the log takes it").position;
    // Whether the first try reached the server after all or not, it stands there once.
    let read = log.read(here, Position::START, 9).await.expect("the log reads");
    assert_eq!(read.iter().map(|entry| entry.position).collect::<Vec<_>>(), [position]);
    // What came over the new line may be heard first.
    while feed.next().await.expect("the feed goes on") != Heard::Interrupted {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_cut_without_a_word_is_made_anew() {
    let server = NatsServer::started().await;
    provision(&at(&server.url()), &StreamSettings::default()).await.expect("the server takes the stream");
    let proxy = Proxy::open(vec![Upstream::Port(server.port())]).await;
    let log = JetStream::connect(&at(&format!("nats://127.0.0.1:{}", proxy.port()))).await.expect("the URL is one");
    becomes(&log, State::Ready).await;
    let mut consumer = log.consume().await.expect("there is a backlog");
    log.append(&posted(conversation(1), "before")).await.expect("the log takes it");
    assert_eq!(consumer.next(9).await.expect("it delivers").len(), 1);
    let waiting = tokio::spawn(async move {
        loop {
            match consumer.next(9).await {
                Ok(deliveries) => return deliveries.len(),
                Err(error) => assert!(matches!(error, LogError::Unavailable(_)), "{error}"),
            }
        }
    });

    // Lines that are made from now on are passed on.
    proxy.cut(Cut::Swallow);
    let event = posted(conversation(1), "after");
    until("the log takes messages again", async || log.append(&event).await.ok()).await;
    assert_eq!(within_patience("the consumer to go on", waiting).await.expect("it does not panic"), 1);
}
