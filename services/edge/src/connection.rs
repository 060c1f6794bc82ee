//! One socket: listens, speaks, ends.

use std::collections::VecDeque;
use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use natter_wire::close::CloseCode;
use natter_wire::problem::Problem;
use tokio::time::{self, Instant};
use tracing::{debug, info};

use crate::cursor::{Cursor, Next};
use crate::frame::Outgoing;
use crate::gate::Admission;
use crate::goodbye::Goodbye;
use crate::metrics;
use crate::metrics::frames::{self, Sent};
use crate::outbox::Outbox;
use crate::pulse::Pulse;
use crate::session::Session;
use crate::sockets::Place;

/// The longest frame that is looked at, in bytes. Enough for 5000 escaped characters.
pub(crate) const MAX_FRAME_BYTES: usize = 64 * 1024;

/// Time between two pings. Below the 30 to 60 seconds after which proxies drop idle connections.
const PING_EVERY: Duration = Duration::from_secs(25);
/// Time that a client gets to take the close frame.
const FAREWELL: Duration = Duration::from_secs(2);

/// The task per socket.
pub(crate) struct Connection {
    /// The socket after its handshake.
    pub socket: WebSocket,
    /// What lets its owner be here.
    pub admission: Admission,
    /// What it does.
    pub session: Session,
    /// What it gets.
    pub cursor: Cursor,
    /// What the client is told before anything else.
    pub greeting: Option<Outgoing>,
    /// Counts the connection until it has ended.
    pub place: Place,
}

type Sink = SplitSink<WebSocket, Message>;
type Stream = SplitStream<WebSocket>;

impl Connection {
    /// Runs until the client leaves, the conversation is deleted, or this edge drains.
    // No `async fn`: its future would keep room for what is moved into the parts until it ends.
    pub(crate) fn run(self) -> impl Future<Output = ()> + Send {
        let Self { socket, admission, mut session, mut cursor, greeting, place } = self;
        let (mut sink, mut stream) = socket.split();
        let outbox = Outbox::with(greeting);
        let pulse = place.pulse();
        let pass = session.pass();
        async move {
            Box::pin(place.turn()).await;
            let goodbye = tokio::select! {
                goodbye = listen(&mut stream, &mut session, &outbox, &pulse, &place) => goodbye,
                goodbye = speak(&mut sink, &mut cursor, &outbox, &pulse) => goodbye,
                goodbye = pass.ends(|| pulse.look()) => goodbye,
            };
            tell(&session, &goodbye);
            Box::pin(place.turn()).await;
            // The room need not wait for the farewell.
            drop((session, cursor));
            Box::pin(pass.remember(admission)).await;
            Box::pin(part(sink, stream, outbox.rest(), goodbye)).await;
        }
    }
}

/// A line for the log: `info` where somebody's right has ended or their patience was at stake, `debug` for the comings and
/// goings of every day.
fn tell(session: &Session, goodbye: &Goodbye) {
    let (conversation, account) = (session.conversation(), session.account());
    let code = goodbye.code().map(CloseCode::number);
    if goodbye.is_decision() {
        info!(%conversation, %account, code, reason = %goodbye, "connection ended");
    } else {
        debug!(%conversation, %account, code, reason = %goodbye, "connection ended");
    }
}

/// Closes a socket that is not let in.
pub(crate) async fn refuse(socket: WebSocket, goodbye: Goodbye, _place: Place) {
    let (sink, stream) = socket.split();
    part(sink, stream, VecDeque::new(), goodbye).await;
}

/// Ends between two frames when the edge drains: what a frame asked for is done, and its sender told.
async fn listen(stream: &mut Stream, session: &mut Session, outbox: &Outbox, pulse: &Pulse, place: &Place) -> Goodbye {
    let mut leaving = pin!(place.told_to_leave());
    loop {
        let heard = tokio::select! {
            heard = stream.next() => heard,
            () = &mut leaving => return Goodbye::Draining,
        };
        let message = match heard {
            Some(Ok(message)) => message,
            Some(Err(error)) => return error.into(),
            None => return Goodbye::Gone,
        };
        pulse.beat();
        let reply = match message {
            Message::Text(text) if text.len() > MAX_FRAME_BYTES => {
                frames::received(frames::OTHER);
                Some(Box::pin(session.refuse(Problem::FrameTooLarge(MAX_FRAME_BYTES))).await)
            }
            // Boxed, so that an idle connection has no room set aside for it.
            Message::Text(text) => Box::pin(session.handle(&text)).await,
            Message::Binary(_) => {
                frames::received(frames::OTHER);
                Some(Box::pin(session.refuse(Problem::BinaryFrame)).await)
            }
            Message::Ping(_) | Message::Pong(_) => {
                frames::received(frames::PROTOCOL);
                None
            }
            Message::Close(_) => return Goodbye::Left,
        };
        let Some(reply) = reply else { continue };
        tokio::select! {
            () = Box::pin(outbox.put(reply.into())) => {}
            () = &mut leaving => return Goodbye::Draining,
        }
    }
}

/// Everything between the cursor and the head, as few writes as it fits in; then waits for the head to move.
async fn speak(sink: &mut Sink, cursor: &mut Cursor, outbox: &Outbox, pulse: &Pulse) -> Goodbye {
    let mut pings = time::interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    pings.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    loop {
        // Pinned out here, so that replies and pings do not make the cursor start anew.
        let mut next = pin!(cursor.next());
        let mut is_waiting = true;
        while is_waiting {
            let messages: Vec<Message> = tokio::select! {
                // In this order, so that an answer comes before what happened after the question, and the greeting first.
                biased;
                replies = outbox.take() => texts(replies),
                _ = pings.tick() => {
                    frames::ping_sent();
                    vec![Message::Ping(Bytes::new())]
                }
                next = &mut next => {
                    is_waiting = false;
                    match next {
                        Next::Frames(frames) => texts(frames),
                        Next::Deleted => return Goodbye::ConversationDeleted,
                        Next::Removed => return Goodbye::NotAParticipant,
                        Next::Closed => return Goodbye::Unavailable,
                    }
                }
            };
            if write(sink, messages, pulse).await.is_err() {
                return Goodbye::Gone;
            }
        }
    }
}

/// Counts them, and makes them ready to be written.
fn texts(frames: impl IntoIterator<Item = Outgoing>) -> Vec<Message> {
    let mut sent = Sent::default();
    let text = |frame: Outgoing| {
        sent.add(frame.kind);
        Message::Text(frame.text)
    };
    frames.into_iter().map(text).collect()
}

async fn write(sink: &mut Sink, messages: Vec<Message>, pulse: &Pulse) -> Result<(), axum::Error> {
    let _writing = pulse.writing();
    for message in messages {
        sink.feed(message).await?;
    }
    sink.flush().await
}

/// Says why, and gives the client a moment to hear it.
async fn part(mut sink: Sink, mut stream: Stream, unsaid: VecDeque<Outgoing>, goodbye: Goodbye) {
    metrics::closed(goodbye.code());
    let farewell = async {
        for reply in unsaid {
            sink.feed(Message::Text(reply.text)).await?;
        }
        if let Some(code) = goodbye.code() {
            let reason = Utf8Bytes::from(goodbye.reason());
            sink.send(Message::Close(Some(CloseFrame { code: code.number(), reason }))).await?;
        } else {
            sink.flush().await?;
        }
        // Closing while the client's frames lie unread would reset the line, and the client might not see the code.
        while let Some(message) = stream.next().await {
            message?;
        }
        if goodbye.leaves_bytes_unread() {
            pending::<()>().await;
        }
        Ok::<_, axum::Error>(())
    };
    // Whether it was heard makes no difference any more.
    let _ = time::timeout(FAREWELL, farewell).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The size of the future that `run` returns.
    fn size_of_future<A, F>(_run: impl FnOnce(A) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn an_idle_connection_stays_small() {
        let size = size_of_future(Connection::run);
        assert!(size <= 1875, "the task of a connection takes {size} bytes; box what is rare");
    }
}
