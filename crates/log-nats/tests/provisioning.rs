//! Setting up the stream and the consumer, once and again.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::stream::{Config, DiscardPolicy, StorageType};
use async_nats::jetstream::{self, Context};
use natter_log_nats::{Access, JetStream, Outcome, ProvisionError, Provisioned, StreamSettings, provision};
use natter_model::id::Position;
use natter_tests::servers::nats::NatsServer;

fn at(url: &str) -> Access {
    Access::at(url, "test")
}

async fn context(server: &NatsServer) -> Context {
    jetstream::new(async_nats::connect(server.url()).await.expect("the server is up"))
}

async fn stream_config(server: &NatsServer) -> Config {
    context(server).await.get_stream("CHAT").await.expect("there is a stream").cached_info().config.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_is_as_the_services_need_it() {
    let server = NatsServer::started().await;
    let done = provision(&at(&server.url()), &StreamSettings::default()).await.expect("the server takes the stream");
    let log = JetStream::connect(&at(&server.url())).await.expect("the URL is one");
    assert_eq!(log.first().await.expect("the stream is there"), Position::new(1));
    assert_eq!(done, Provisioned { stream: Outcome::Created, consumer: Outcome::Created });
    let config = stream_config(&server).await;
    assert_eq!(config.subjects, ["chat.*"]);
    assert_eq!((config.storage, config.discard, config.num_replicas), (StorageType::File, DiscardPolicy::New, 1));
    assert!(config.allow_direct && config.deny_delete && config.deny_purge);
    assert_eq!((config.max_age.as_secs(), config.duplicate_window.as_secs()), (72 * 3600, 120));
    let republish = config.republish.expect("it republishes");
    assert_eq!((republish.source.as_str(), republish.destination.as_str()), ("chat.*", "live.{{wildcard(1)}}.event"));
}

#[tokio::test(flavor = "multi_thread")]
async fn doing_it_again_changes_only_what_differs() {
    let server = NatsServer::started().await;
    let mut settings = StreamSettings { first_sequence: Position::new(1000), ..StreamSettings::default() };
    provision(&at(&server.url()), &settings).await.expect("the server takes the stream");
    let log = JetStream::connect(&at(&server.url())).await.expect("the URL is one");
    assert_eq!(log.first().await.expect("the stream is there"), settings.first_sequence);
    let again = provision(&at(&server.url()), &settings).await.expect("it is there");
    assert_eq!(again, Provisioned { stream: Outcome::Unchanged, consumer: Outcome::Unchanged });

    // What an operator has set stays.
    let limited = Config { max_bytes: 1 << 20, ..stream_config(&server).await };
    context(&server).await.update_stream(limited).await.expect("the server takes the limit");
    settings.max_age = Duration::from_secs(3600);
    let again = provision(&at(&server.url()), &settings).await.expect("the server takes the change");
    assert_eq!(again, Provisioned { stream: Outcome::Updated, consumer: Outcome::Unchanged });
    let config = stream_config(&server).await;
    assert_eq!((config.max_age, config.max_bytes), (Duration::from_secs(3600), 1 << 20));

    settings.ack_wait = Duration::from_secs(60);
    let again = provision(&at(&server.url()), &settings).await.expect("the server takes the change");
    assert_eq!(again, Provisioned { stream: Outcome::Unchanged, consumer: Outcome::Updated });
    // The default first sequence asks for nothing.
    settings.first_sequence = Position::START;
    let again = provision(&at(&server.url()), &settings).await.expect("it is there");
    assert_eq!(again, Provisioned { stream: Outcome::Unchanged, consumer: Outcome::Unchanged });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_changed_is_named() {
    let server = NatsServer::started().await;
    provision(&at(&server.url()), &StreamSettings::default()).await.expect("the server takes the stream");
    let later = StreamSettings { first_sequence: Position::new(5000), ..StreamSettings::default() };
    let refused = provision(&at(&server.url()), &later).await.expect_err("the stream has begun");
    assert!(matches!(&refused, ProvisionError::Fixed { property: "next sequence", .. }), "{refused}");
    let replicas = StreamSettings { replicas: Some(3), ..StreamSettings::default() };
    let refused = provision(&at(&server.url()), &replicas).await.expect_err("there is one server");
    assert!(matches!(&refused, ProvisionError::Refused { .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_another_kind_is_refused() {
    let server = NatsServer::started().await;
    let context = context(&server).await;
    let memory = Config { name: "CHAT".to_owned(), storage: StorageType::Memory, ..Config::default() };
    context.create_stream(memory).await.expect("the server takes the stream");
    let refused = provision(&at(&server.url()), &StreamSettings::default()).await.expect_err("it is in memory");
    assert!(matches!(&refused, ProvisionError::Fixed { property: "storage", .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_of_another_kind_is_refused() {
    let server = NatsServer::started().await;
    let context = context(&server).await;
    let stream = Config { name: "CHAT".to_owned(), subjects: vec!["chat.*".to_owned()], ..Config::default() };
    let stream = context.create_stream(stream).await.expect("the server takes the stream");
    let all = pull::Config {
        durable_name: Some("persistence".to_owned()),
        ack_policy: AckPolicy::All,
        ..pull::Config::default()
    };
    stream.create_consumer(all).await.expect("the server takes the consumer");
    let refused =
        provision(&at(&server.url()), &StreamSettings::default()).await.expect_err("it acknowledges otherwise");
    assert!(matches!(&refused, ProvisionError::Fixed { property: "ack policy", .. }), "{refused}");
}

/// The server goes on deleting after it has said that it is done.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_made_where_one_was_just_deleted() {
    let server = NatsServer::started().await;
    let context = context(&server).await;
    for _ in 0..100 {
        let made =
            provision(&at(&server.url()), &StreamSettings::default()).await.expect("the server takes the stream");
        assert_eq!(made, Provisioned { stream: Outcome::Created, consumer: Outcome::Created });
        context.delete_stream("CHAT").await.expect("it is deleted");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let server = NatsServer::new();
    let refused = provision(&at(&server.url()), &StreamSettings::default()).await.expect_err("nobody listens");
    assert!(matches!(&refused, ProvisionError::Unreachable(_)), "{refused}");
    let refused = provision(&at("http://127.0.0.1"), &StreamSettings::default()).await.expect_err("that is no NATS");
    assert!(matches!(&refused, ProvisionError::BadUrl(_)), "{refused}");
}
