//! One WebSocket of a client, as lean as it can be: many of them share two processors with the system under test.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// How long a connection may take to be made, and a frame to be taken.
const PATIENCE: Duration = Duration::from_secs(4);

/// An open connection.
#[derive(Debug)]
pub struct Line(WebSocketStream<TcpStream>);

/// What came out of it.
#[derive(Debug)]
pub enum Heard {
    /// A frame, as text.
    Text(String),
    /// A sign of life.
    Life,
    /// The server says goodbye.
    Goodbye(u16, String),
    /// The line is gone.
    Gone,
}

/// The parts of a frame that a client looks at.
#[derive(Debug, Deserialize)]
pub struct Incoming<'a> {
    /// `type`.
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// Where its event stands.
    pub seq: Option<u64>,
    /// The message that it is about.
    pub message_id: Option<u64>,
    /// What it says.
    #[serde(borrow)]
    pub content: Option<Cow<'a, str>>,
    /// Who said it.
    pub sender_id: Option<u32>,
    /// Who edited it.
    pub editor_id: Option<u32>,
    /// Who deleted it.
    pub deleter_id: Option<u32>,
    /// Who read it.
    pub reader_id: Option<u32>,
    /// The client's own name for a message.
    #[serde(borrow)]
    pub client_id: Option<Cow<'a, str>>,
    /// What is wrong.
    #[serde(borrow)]
    pub code: Option<Cow<'a, str>>,
    /// When to try again.
    pub retry_after_ms: Option<u32>,
}

impl Line {
    /// Opens a line; `None` if that does not work out. `receive_bytes` bounds what the kernel takes for a client that
    /// does not read.
    pub async fn open(edge: SocketAddr, path: &str, receive_bytes: Option<u32>) -> Option<Self> {
        timeout(PATIENCE, Self::connect(edge, path, receive_bytes)).await.ok()?
    }

    async fn connect(edge: SocketAddr, path: &str, receive_bytes: Option<u32>) -> Option<Self> {
        let socket = tokio::net::TcpSocket::new_v4().ok()?;
        if let Some(n_bytes) = receive_bytes {
            socket.set_recv_buffer_size(n_bytes).ok()?;
        }
        let stream = socket.connect(edge).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let config = WebSocketConfig::default().read_buffer_size(8192);
        let handshake = client_async_with_config(format!("ws://{edge}{path}"), stream, Some(config)).await;
        handshake.ok().map(|(stream, _)| Self(stream))
    }

    /// Waits for what comes next. May be cancelled.
    pub async fn hear(&mut self) -> Heard {
        match self.0.next().await {
            Some(Ok(Message::Text(text))) => Heard::Text(text.as_str().to_owned()),
            Some(Ok(Message::Close(frame))) => {
                let (code, reason) =
                    frame.map_or((1005, String::new()), |frame| (frame.code.into(), frame.reason.as_str().to_owned()));
                Heard::Goodbye(code, reason)
            }
            Some(Ok(_)) => Heard::Life,
            Some(Err(_)) | None => Heard::Gone,
        }
    }

    /// Sends frames. `false`: the line is dead.
    pub async fn say(&mut self, frames: Vec<String>) -> bool {
        let sending = async {
            for frame in frames {
                self.0.feed(Message::text(frame)).await?;
            }
            self.0.flush().await
        };
        timeout(PATIENCE, sending).await.is_ok_and(|outcome| outcome.is_ok())
    }
}
