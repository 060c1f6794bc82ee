//! A NATS server with an empty log, and a connection to it.

use std::time::Duration;

use async_trait::async_trait;
use natter_log::contract::Subject;
use natter_log::mend::Mend;
use natter_log::port::{Backlog, Log};
use natter_log_nats::{Access, JetStream, State, StreamSettings, provision};
use natter_model::id::{ConversationId, Position};
use natter_tests::servers::nats::NatsServer;

/// Gone, with all it holds, when it is dropped.
pub(crate) struct Provisioned {
    pub(crate) log: JetStream,
    pub(crate) server: NatsServer,
}

impl Provisioned {
    pub(crate) async fn new(first_sequence: Position) -> Self {
        let server = NatsServer::started().await;
        // Short, so that tests need not wait for long until records come again.
        let settings = StreamSettings { first_sequence, ack_wait: Duration::from_secs(1), ..StreamSettings::default() };
        provision(&at(&server.url()), &settings).await.expect("the server takes the stream");
        let log = JetStream::connect(&at(&server.url())).await.expect("the URL is one");
        becomes(&log, State::Ready).await;
        Self { log, server }
    }
}

/// A way into the servers at this URL.
pub(crate) fn at(url: &str) -> Access {
    Access::at(url, "test")
}

/// Waits for the state.
pub(crate) async fn becomes(log: &JetStream, state: State) {
    let mut states = log.state();
    let reached = tokio::time::timeout(Duration::from_secs(30), states.wait_for(|now| *now == state)).await;
    reached.expect("it should be reached by now").expect("the connection is kept");
}

#[async_trait]
impl Subject for Provisioned {
    fn log(&self) -> &dyn Log {
        &self.log
    }

    fn backlog(&self) -> &dyn Backlog {
        &self.log
    }

    fn mend(&self) -> &dyn Mend {
        &self.log
    }

    async fn append_raw(&self, conversation: ConversationId, bytes: &[u8]) -> Position {
        let client = async_nats::connect(self.server.url()).await.expect("the server is up");
        let context = async_nats::jetstream::new(client);
        let published = context.publish(format!("chat.{conversation}"), bytes.to_vec().into()).await;
        let acknowledged = published.expect("it is sent").await.expect("the stream takes it");
        Position::new(acknowledged.sequence)
    }
}
