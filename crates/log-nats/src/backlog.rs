//! One reader of the durable consumer that all persistence processes share.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::{self, AckKind, consumer};
use async_nats::{Request, Subject};
use async_trait::async_trait;
use futures_util::future::join_all;
use natter_log::port::{Consumer, Delivery, LogError};
use natter_model::id::Position;
use serde_json::json;
use tokio::sync::watch;

use crate::api::{PATIENCE, Replies, Reply, cause, info};
use crate::layout::{CONSUMER, STREAM};
use crate::link::{Link, QUEUE, in_time};

/// Records per request: all of them must fit into the queue of the client, which drops what does not.
const BATCH: usize = QUEUE / 2;
/// How long the server keeps a request for a record when there is none.
const WAIT: Duration = Duration::from_secs(30);
/// How often it says meanwhile that it is still there. Twice this long without a word, and it is asked again.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long what was handed back rests.
const REST: Duration = Duration::from_secs(1);

/// Takes only what it is asked for, so that no record waits here while another process is idle.
pub(crate) struct Puller {
    link: Arc<Link>,
    interruptions: watch::Receiver<u64>,
    /// The line that records come over.
    line: u64,
    /// What is under way. Kept here, like what has come, so that `next` may be dropped at any time.
    pull: Option<Pull>,
    come: VecDeque<(Position, jetstream::Message)>,
    /// The last pull got all that there was.
    drained: bool,
    /// Where to acknowledge what has been handed out.
    held: HashMap<Position, Subject>,
}

struct Pull {
    replies: Replies,
    wanted: usize,
}

impl Puller {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        let (interruptions, line) = (link.interruptions(), link.line());
        Self { link, interruptions, line, pull: None, come: VecDeque::new(), drained: false, held: HashMap::new() }
    }

    /// Asks for up to `wanted` of the records at hand, or if there are none, for the next one that comes.
    async fn begin(&mut self, wanted: usize) -> Result<(), LogError> {
        self.link.up().await;
        self.interruptions.mark_unchanged();
        // What stands at positions that were used before must not reach the store as if it were the first.
        self.link.verified().await?;
        // Nor must they if only the store knows: whoever takes records gets the chance to ask it.
        let line = self.link.line();
        if std::mem::replace(&mut self.line, line) != line {
            return Err(LogError::Unavailable("the line to NATS was made anew".to_owned()));
        }
        let (wanted, question) = if self.drained {
            let question = json!({
                "batch": 1,
                "expires": nanoseconds(WAIT),
                "idle_heartbeat": nanoseconds(HEARTBEAT),
            });
            (1, question)
        } else {
            let wanted = wanted.min(BATCH);
            (wanted, json!({ "batch": wanted, "no_wait": true }))
        };
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{CONSUMER}");
        let replies = Replies::ask(&self.link.client, subject, question.to_string().into()).await?;
        self.pull = Some(Pull { replies, wanted });
        Ok(())
    }

    /// Takes what the pull under way brings, to its end.
    async fn finish(&mut self) -> Result<(), LogError> {
        while let Some(pull) = &mut self.pull {
            if pull.wanted == 0 {
                self.drained = false;
                self.pull = None;
                break;
            }
            let reply = tokio::select! {
                biased;
                reply = pull.replies.next(HEARTBEAT * 2) => reply,
                // The server forgets a pull with the line it came by.
                _ = self.interruptions.changed() => Ok(Reply::End),
            };
            let trouble = match reply {
                Ok(Reply::Record(message)) => {
                    pull.wanted -= 1;
                    self.come.extend(placed(&self.link, message));
                    continue;
                }
                Ok(Reply::Heartbeat) => continue,
                Ok(Reply::End) => None,
                Ok(Reply::Nobody) => Some(match consumer_info(&self.link).await {
                    Ok(_) => LogError::Unavailable(format!("the consumer {CONSUMER} has no leader")),
                    Err(error) => error,
                }),
                Ok(Reply::Trouble(trouble)) => Some(LogError::Unavailable(trouble)),
                Err(error) => Some(error),
            };
            self.drained = true;
            self.pull = None;
            match trouble {
                Some(trouble) if self.come.is_empty() => return Err(trouble),
                _ => {}
            }
        }
        Ok(())
    }

    fn hand_out(&mut self, limit: usize) -> Vec<Delivery> {
        let n = limit.min(self.come.len());
        let mut deliveries = Vec::with_capacity(n);
        for (position, message) in self.come.drain(..n) {
            if let Some(reply) = &message.reply {
                self.held.insert(position, reply.clone());
            }
            self.link.end.see(position);
            deliveries.push(Delivery::of_record(position, &message.payload, cause(&message)));
        }
        deliveries.sort_by_key(Delivery::position);
        deliveries
    }
}

#[async_trait]
impl Consumer for Puller {
    async fn next(&mut self, limit: usize) -> Result<Vec<Delivery>, LogError> {
        let limit = limit.max(1);
        loop {
            self.finish().await?;
            if self.come.len() >= limit || (self.drained && !self.come.is_empty()) {
                return Ok(self.hand_out(limit));
            }
            self.begin(limit - self.come.len()).await?;
        }
    }

    async fn acknowledge(&mut self, positions: &[Position]) -> Result<(), LogError> {
        let held = positions.iter().filter_map(|position| Some((*position, self.held.get(position)?.clone())));
        let client = &self.link.client;
        let acknowledged = join_all(held.map(|(position, reply)| async move {
            // Asked as a question, the server answers when it knows.
            let question = Request::new().payload(AckKind::Ack.into()).timeout(Some(PATIENCE));
            (position, in_time(client.send_request(reply, question)).await)
        }))
        .await;
        let mut outcome = Ok(());
        for (position, acknowledged) in acknowledged {
            match acknowledged {
                Ok(_) => drop(self.held.remove(&position)),
                Err(error) => outcome = Err(error),
            }
        }
        outcome
    }

    async fn hand_back(&mut self, positions: &[Position]) -> Result<(), LogError> {
        for position in positions {
            if let Some(reply) = self.held.remove(position) {
                in_time(self.link.client.publish(reply, AckKind::Nak(Some(REST)).into())).await?;
            }
        }
        Ok(())
    }
}

/// What the server says about the consumer.
pub(crate) async fn consumer_info(link: &Link) -> Result<consumer::Info, LogError> {
    link.up_soon().await?;
    Ok(info(&link.client, format!("CONSUMER.INFO.{STREAM}.{CONSUMER}")).await?)
}

/// The message and where its record stands. What is no record of the stream is left out.
fn placed(link: &Link, message: async_nats::Message) -> Option<(Position, jetstream::Message)> {
    let message = jetstream::Message { message, context: link.context.clone() };
    match message.info().map(|info| info.stream_sequence) {
        Ok(sequence) => Some((Position::new(sequence), message)),
        Err(error) => {
            tracing::warn!(%error, "NATS delivered something that has no place in the stream");
            None
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    duration.as_nanos().try_into().expect("a wait is shorter than five centuries")
}
