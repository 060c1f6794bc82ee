//! Following a conversation: a plain subscription to what the stream republishes, and to signals.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_nats::header::{NATS_LAST_SEQUENCE, NATS_SEQUENCE, NATS_TIME_STAMP};
use async_nats::{Message, Subscriber};
use futures_util::{Stream, stream};
use natter_log::port::{Feed, Heard, LogError};
use natter_model::event::Entry;
use natter_model::id::{ConversationId, Position};
use natter_model::timestamp::Timestamp;
use natter_proto::record::{self, DecodeError};
use tokio::sync::watch;
use tokio::task::coop;

use crate::api::{cause, number};
use crate::end::{self, End};
use crate::layout::{ALL_EVENTS, ALL_SIGNALS, is_signal, live_of};
use crate::leader;
use crate::link::{Link, QUEUE, in_time};
use crate::metrics;

/// See [`natter_log::port::Log::follow`].
pub(crate) async fn follow(link: &Link, conversation: ConversationId) -> Result<Feed, LogError> {
    link.up_soon().await?;
    let interruptions = interruptions(link);
    let subscriber = in_time(link.client.subscribe(live_of(conversation))).await?;
    // The subscription counts once the server has it, and the other servers of a cluster know. An answer from the
    // stream's leader to something asked after it says so.
    leader::head(link, conversation).await?;
    Ok(Feed::new(Follower::new(link, interruptions, subscriber).heard()))
}

/// See [`natter_log::port::Log::follow_all`].
pub(crate) async fn follow_all(link: &Link, name: &str) -> Result<Feed, LogError> {
    link.up_soon().await?;
    let interruptions = interruptions(link);
    let events = in_time(link.client.subscribe(ALL_EVENTS)).await?;
    let signals = in_time(link.client.queue_subscribe(ALL_SIGNALS, name.to_owned())).await?;
    // As above.
    end::ask(&link.client).await?;
    let events = Follower::new(link, interruptions.clone(), events).heard();
    let signals = Follower::new(link, interruptions, signals).heard();
    Ok(Feed::new(stream::select(events, signals)))
}

fn interruptions(link: &Link) -> watch::Receiver<u64> {
    let mut interruptions = link.interruptions();
    interruptions.mark_unchanged();
    interruptions
}

struct Follower {
    subscriber: Subscriber,
    interruptions: watch::Receiver<u64>,
    end: Arc<End>,
    /// Messages taken since the queue was last found empty.
    run: usize,
}

enum Next {
    Message(Message),
    /// The queue was full at some time since it was last empty, and may have been when a message came.
    Overrun,
    Ended,
}

impl Follower {
    fn new(link: &Link, interruptions: watch::Receiver<u64>, subscriber: Subscriber) -> Self {
        Self { subscriber, interruptions, end: Arc::clone(&link.end), run: 0 }
    }

    fn heard(self) -> impl Stream<Item = Heard> + Send {
        Box::pin(stream::unfold(self, |mut follower| async move {
            let heard = follower.next().await?;
            Some((heard, follower))
        }))
    }

    async fn next(&mut self) -> Option<Heard> {
        loop {
            let next = tokio::select! {
                biased;
                next = std::future::poll_fn(|task| Self::poll(&mut self.subscriber, &mut self.run, task)) => next,
                changed = self.interruptions.changed() => {
                    return changed.ok().map(|()| Heard::Interrupted);
                }
            };
            match next {
                Next::Message(message) => {
                    if let Some(heard) = heard(&message) {
                        if let Heard::Entry(entry, _) = &heard {
                            self.end.see(entry.position);
                            metrics::delivered(taken_at(&message));
                        }
                        return Some(heard);
                    }
                }
                Next::Overrun => return Some(Heard::Interrupted),
                Next::Ended => return None,
            }
        }
    }

    /// NATS's client leaves out what does not fit into the queue and does not say where. But a full queue takes at
    /// least its length of messages to run empty, so a shorter run proves that nothing was left out.
    fn poll(subscriber: &mut Subscriber, run: &mut usize, task: &mut Context<'_>) -> Poll<Next> {
        let may_be_empty = coop::has_budget_remaining();
        match Pin::new(subscriber).poll_next(task) {
            Poll::Ready(Some(message)) => {
                *run += 1;
                Poll::Ready(Next::Message(message))
            }
            Poll::Ready(None) => Poll::Ready(Next::Ended),
            Poll::Pending if may_be_empty && std::mem::take(run) >= QUEUE => Poll::Ready(Next::Overrun),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// When the log had it.
fn taken_at(message: &Message) -> Option<Timestamp> {
    Timestamp::of_frame(message.headers.as_ref()?.get(NATS_TIME_STAMP)?.as_str())
}

fn heard(message: &Message) -> Option<Heard> {
    let heard = if is_signal(&message.subject) {
        record::decode_signal(&message.payload).map(Heard::Signal)
    } else {
        let header = |name| number(message.headers.as_ref(), name).map(Position::new);
        let position = header(NATS_SEQUENCE)?;
        let previous = header(NATS_LAST_SEQUENCE).unwrap_or(Position::START);
        record::decode_event(&message.payload)
            .map(|event| Heard::Entry(Entry { position, previous, event }, cause(message)))
    };
    let tell = |reason: &DecodeError| {
        if !record::is_filler(&message.payload) {
            tracing::warn!(subject = %message.subject, %reason, "not understood");
        }
    };
    heard.inspect_err(tell).ok()
}
