//! The log as the services see it.

use std::sync::Arc;

use async_trait::async_trait;
use natter_log::mend::{Mend, Substitute};
use natter_log::port::{Appended, Backlog, Consumer, Delivery, Feed, Log, LogError};
use natter_model::event::{Entry, Event, Signal};
use natter_model::id::{ConversationId, Position};
use natter_proto::record;
use tokio::sync::watch;

use crate::access::{Access, BadUrl};
use crate::backlog::{Puller, consumer_info};
use crate::layout::signals_of;
use crate::link::{Link, State, in_time};
use crate::{append, end, follow, leader, mend, read, scan};

/// The log in the JetStream of a NATS server or cluster, as [`provision`](crate::provision()) sets it up.
///
/// An append that NATS does not answer is tried again for a few seconds under the same id, so that after a lost
/// acknowledgement the answer is the place of the first try. Event ids are remembered for two minutes. Records that a
/// dropped consumer held come again after the consumer's `ack_wait`.
pub struct JetStream {
    link: Arc<Link>,
}

impl JetStream {
    /// A log at these servers. Returns at once and connects in the background, for as long as it takes; see
    /// [`JetStream::state`].
    pub async fn connect(access: &Access) -> Result<Self, BadUrl> {
        Ok(Self { link: Arc::new(Link::open(access).await?) })
    }

    /// Where the first record of this log stood, or will stand, as it was set up, or made anew behind its predecessor.
    pub async fn first(&self) -> Result<Position, LogError> {
        self.link.up_soon().await?;
        end::first(&self.link.client).await
    }

    /// How far the connection is, now and as it changes.
    pub fn state(&self) -> watch::Receiver<State> {
        self.link.state()
    }
}

#[async_trait]
impl Log for JetStream {
    async fn append(&self, event: &Event) -> Result<Appended, LogError> {
        append::append(&self.link, event).await
    }

    async fn read(&self, conversation: ConversationId, after: Position, limit: usize) -> Result<Vec<Entry>, LogError> {
        read::read(&self.link, conversation, after, limit).await
    }

    async fn entry(&self, position: Position) -> Result<Option<Entry>, LogError> {
        leader::entry(&self.link, position).await
    }

    async fn head(&self, conversation: ConversationId) -> Result<Position, LogError> {
        leader::head(&self.link, conversation).await
    }

    async fn oldest(&self) -> Result<Position, LogError> {
        self.link.up_soon().await?;
        Ok(self.link.end.look(&self.link.client).await?.oldest)
    }

    async fn last(&self) -> Result<Position, LogError> {
        self.link.up_soon().await?;
        Ok(end::ask(&self.link.client).await?.last)
    }

    async fn scan(&self, after: Position, limit: usize) -> Result<Vec<Delivery>, LogError> {
        scan::scan(&self.link, after, limit).await
    }

    fn expect_at_least(&self, position: Position) {
        if self.link.end.tell(position) {
            self.link.look_soon();
        }
    }

    async fn follow(&self, conversation: ConversationId) -> Result<Feed, LogError> {
        follow::follow(&self.link, conversation).await
    }

    async fn follow_all(&self, name: &str) -> Result<Feed, LogError> {
        follow::follow_all(&self.link, name).await
    }

    async fn signal(&self, signal: &Signal) -> Result<(), LogError> {
        // While there is no line, the client would keep it for later, when it is no longer true.
        self.link.is_up()?;
        let subject = signals_of(signal.conversation);
        in_time(self.link.client.publish(subject, record::encode_signal(signal).into())).await
    }
}

#[async_trait]
impl Mend for JetStream {
    async fn put_back(&self, last: Position, substitutes: &[Substitute]) -> Result<Vec<bool>, LogError> {
        mend::put_back(&self.link, last, substitutes).await
    }
}

#[async_trait]
impl Backlog for JetStream {
    async fn consume(&self) -> Result<Box<dyn Consumer>, LogError> {
        consumer_info(&self.link).await?;
        Ok(Box::new(Puller::new(Arc::clone(&self.link))))
    }

    async fn floor(&self) -> Result<Position, LogError> {
        Ok(Position::new(consumer_info(&self.link).await?.ack_floor.stream_sequence))
    }
}
