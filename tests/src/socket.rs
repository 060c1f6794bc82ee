//! A WebSocket as the server sees it from a client: frames in, frames out, and how it ended.

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, connect_async_with_config};

use crate::frame::{Frame, Goodbye};
use crate::wait::within_patience;

/// An open WebSocket. Dropping it drops the line without a word.
#[derive(Debug)]
pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What comes out of a socket.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// A frame.
    Frame(Frame),
    /// A close frame.
    Goodbye(Goodbye),
    /// The line went dead.
    Silence,
}

impl Socket {
    /// Opens one.
    ///
    /// # Panics
    /// If the handshake is refused.
    pub async fn open(url: &str) -> Self {
        Self::try_open(url).await.unwrap_or_else(|error| panic!("the handshake was refused: {error}"))
    }

    /// Opens one, or tells why the handshake was refused.
    pub async fn try_open(url: &str) -> Result<Self, Error> {
        // Small, so that thousands of them fit into a test.
        let config = WebSocketConfig::default().read_buffer_size(4096);
        let handshake = connect_async_with_config(url, Some(config), true);
        let (stream, _) = within_patience("a handshake", handshake).await?;
        Ok(Self(stream))
    }

    /// Opens one that offers these subprotocols; returns the one that the server has selected.
    ///
    /// # Panics
    /// If the handshake is refused.
    pub async fn open_offering(url: &str, offered: &[&str]) -> (Self, Option<String>) {
        let mut request = url.into_client_request().expect("a URL of the harness");
        let offered = offered.join(", ").parse().expect("subprotocols are header values");
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, offered);
        let (stream, answer) = within_patience("a handshake", connect_async(request)).await.expect("a handshake");
        let selected =
            answer.headers().get(SEC_WEBSOCKET_PROTOCOL).map(|name| name.to_str().expect("ASCII").to_owned());
        (Self(stream), selected)
    }

    /// Sends a frame, of whatever kind.
    pub async fn send(&mut self, message: Message) -> Result<(), Error> {
        within_patience("the server to take a frame", self.0.send(message)).await
    }

    /// Waits for whatever comes next.
    ///
    /// # Panics
    /// If nothing comes, or a frame that is no JSON text.
    pub async fn hear(&mut self) -> Heard {
        // As a whole, since pings come by themselves.
        within_patience("a frame", self.next()).await
    }

    async fn next(&mut self) -> Heard {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => {
                    let json = serde_json::from_str(&text).unwrap_or_else(|error| panic!("no JSON ({error}): {text}"));
                    return Heard::Frame(Frame(json));
                }
                Some(Ok(Message::Close(frame))) => {
                    let (code, reason) = frame
                        .map_or((1005, String::new()), |frame| (frame.code.into(), frame.reason.as_str().to_owned()));
                    return Heard::Goodbye(Goodbye { code, reason });
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(unexpected)) => panic!("the server sends only text, not {unexpected:?}"),
                Some(Err(_)) | None => return Heard::Silence,
            }
        }
    }
}
