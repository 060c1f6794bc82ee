//! One socket: listens, speaks, ends.

use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use natter_wire::client::Echo;
use natter_wire::problem::{Deed, Problem};
use natter_wire::server;
use tokio::time::{self, Instant};
use tracing::debug;

use crate::cursor::{Cursor, Next};
use crate::goodbye::Goodbye;
use crate::outbox::Outbox;
use crate::session::Session;
use crate::sockets::Place;

/// The longest frame that is looked at, in bytes. Enough for 5000 escaped characters.
pub(crate) const MAX_FRAME_BYTES: usize = 64 * 1024;

/// Time between two pings. Below the 30 to 60 seconds after which proxies drop idle connections.
const PING_EVERY: Duration = Duration::from_secs(25);
/// Longest silence of a client: a ping, and 30 seconds for the answer.
const MAX_SILENCE: Duration = Duration::from_secs(55);
/// Time that a client gets to take the close frame.
const FAREWELL: Duration = Duration::from_secs(2);

/// The task per socket.
pub(crate) struct Connection {
    /// The socket after its handshake.
    pub socket: WebSocket,
    /// What it does.
    pub session: Session,
    /// What it gets.
    pub cursor: Cursor,
    /// What the client is told before anything else.
    pub greeting: Option<String>,
    /// Counts the connection until it has ended.
    pub place: Place,
}

type Sink = SplitSink<WebSocket, Message>;
type Stream = SplitStream<WebSocket>;

impl Connection {
    /// Runs until the client leaves, the conversation is deleted, or this edge drains.
    // No `async fn`: its future would keep room for what is moved into the parts until it ends.
    pub(crate) fn run(self) -> impl Future<Output = ()> + Send {
        let Self { socket, mut session, mut cursor, greeting, place } = self;
        let (mut sink, mut stream) = socket.split();
        let outbox = Outbox::with(greeting);
        async move {
            let goodbye = tokio::select! {
                goodbye = listen(&mut stream, &mut session, &outbox) => goodbye,
                goodbye = speak(&mut sink, &mut cursor, &outbox) => goodbye,
                () = place.told_to_leave() => Goodbye::Draining,
            };
            debug!(conversation = %session.conversation(), account = %session.account(), %goodbye, "connection ended");
            // The room need not wait for the farewell.
            drop((session, cursor));
            Box::pin(part(sink, stream, goodbye)).await;
        }
    }
}

/// Closes a socket that is not let in.
pub(crate) async fn refuse(socket: WebSocket, goodbye: Goodbye, _place: Place) {
    let (sink, stream) = socket.split();
    part(sink, stream, goodbye).await;
}

async fn listen(stream: &mut Stream, session: &mut Session, outbox: &Outbox) -> Goodbye {
    loop {
        let message = match time::timeout(MAX_SILENCE, stream.next()).await {
            Ok(Some(Ok(message))) => message,
            Ok(Some(Err(error))) => return error.into(),
            Ok(None) => return Goodbye::Gone,
            Err(_) => return Goodbye::Silent,
        };
        let reply = match message {
            Message::Text(text) if text.len() > MAX_FRAME_BYTES => {
                Some(refused(&Problem::FrameTooLarge(MAX_FRAME_BYTES)))
            }
            // Boxed, so that an idle connection has no room set aside for it.
            Message::Text(text) => Box::pin(session.handle(&text)).await,
            Message::Binary(_) => Some(refused(&Problem::BinaryFrame)),
            Message::Ping(_) | Message::Pong(_) => None,
            Message::Close(_) => return Goodbye::Left,
        };
        if let Some(reply) = reply
            && time::timeout(MAX_SILENCE, outbox.put(reply)).await.is_err()
        {
            return Goodbye::Silent;
        }
    }
}

/// Everything between the cursor and the head, as few writes as it fits in; then waits for the head to move.
async fn speak(sink: &mut Sink, cursor: &mut Cursor, outbox: &Outbox) -> Goodbye {
    let mut pings = time::interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    pings.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    loop {
        // Pinned out here, so that replies and pings do not make the cursor start anew.
        let mut next = pin!(cursor.next());
        let mut is_waiting = true;
        while is_waiting {
            let messages: Vec<Message> = tokio::select! {
                next = &mut next => {
                    is_waiting = false;
                    match next {
                        Next::Frames(frames) => frames.into_iter().map(Message::Text).collect(),
                        Next::Deleted => return Goodbye::ConversationDeleted,
                        Next::Closed => return Goodbye::Unavailable,
                    }
                }
                replies = outbox.take() => replies.into_iter().map(Message::Text).collect(),
                _ = pings.tick() => vec![Message::Ping(Bytes::new())],
            };
            if write(sink, messages).await.is_err() {
                return Goodbye::Gone;
            }
        }
    }
}

async fn write(sink: &mut Sink, messages: Vec<Message>) -> Result<(), axum::Error> {
    for message in messages {
        sink.feed(message).await?;
    }
    sink.flush().await
}

/// Says why, and gives the client a moment to hear it.
async fn part(mut sink: Sink, mut stream: Stream, goodbye: Goodbye) {
    let farewell = async {
        if let Some(code) = goodbye.code() {
            let reason = Utf8Bytes::from(goodbye.to_string());
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

fn refused(problem: &Problem) -> String {
    server::error(Deed::Message, problem, &Echo::default())
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
        assert!(size <= 1400, "the task of a connection takes {size} bytes; box what is rare");
    }
}
