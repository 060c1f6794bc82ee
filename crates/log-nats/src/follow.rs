//! Following a conversation: a plain subscription to what the stream republishes, and to signals.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_nats::header::{NATS_LAST_SEQUENCE, NATS_SEQUENCE};
use async_nats::{Message, Subscriber};
use futures_util::{Stream, stream};
use natter_log::port::{Feed, Heard, LogError};
use natter_model::event::Entry;
use natter_model::id::{ConversationId, Position};
use natter_proto::record;
use tokio::sync::watch;
use tokio::task::coop;

use crate::api::number;
use crate::end::End;
use crate::layout::{is_signal, live_of};
use crate::leader;
use crate::link::{Link, QUEUE, in_time};

/// See [`natter_log::port::Log::follow`].
pub(crate) async fn follow(link: &Link, conversation: ConversationId) -> Result<Feed, LogError> {
    link.up_soon().await?;
    let mut connects = link.connects();
    connects.mark_unchanged();
    let subscriber = in_time(link.client.subscribe(live_of(conversation))).await?;
    // The subscription counts once the server has it, and the other servers of a cluster know. An answer from the
    // stream's leader to something asked after it says so.
    leader::head(link, conversation).await?;
    let follower = Follower { subscriber, connects, end: Arc::clone(&link.end), run: 0 };
    Ok(Feed::new(stream::unfold(follower, |mut follower| async move {
        let heard = follower.next().await?;
        Some((heard, follower))
    })))
}

struct Follower {
    subscriber: Subscriber,
    connects: watch::Receiver<u64>,
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
    async fn next(&mut self) -> Option<Heard> {
        loop {
            let next = tokio::select! {
                biased;
                next = std::future::poll_fn(|task| Self::poll(&mut self.subscriber, &mut self.run, task)) => next,
                changed = self.connects.changed() => {
                    return changed.ok().map(|()| Heard::Interrupted);
                }
            };
            match next {
                Next::Message(message) => {
                    if let Some(heard) = heard(&message) {
                        if let Heard::Entry(entry) = &heard {
                            self.end.see(entry.position);
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

fn heard(message: &Message) -> Option<Heard> {
    let heard = if is_signal(&message.subject) {
        record::decode_signal(&message.payload).map(Heard::Signal)
    } else {
        let header = |name| number(message.headers.as_ref(), name).map(Position::new);
        let position = header(NATS_SEQUENCE)?;
        let previous = header(NATS_LAST_SEQUENCE).unwrap_or(Position::START);
        record::decode_event(&message.payload).map(|event| Heard::Entry(Entry { position, previous, event }))
    };
    heard.inspect_err(|reason| tracing::warn!(subject = %message.subject, %reason, "not understood")).ok()
}
