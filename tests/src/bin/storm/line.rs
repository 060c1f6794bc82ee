//! A client that costs this machine as little as it can: what is measured is the server.

use std::io;
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A socket after its handshake.
pub(crate) struct Line {
    stream: TcpStream,
    buffer: Vec<u8>,
    start: usize,
}

impl Line {
    /// Opens one by this path and query.
    pub(crate) async fn open(address: SocketAddr, path: &str) -> io::Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        // Dropping it resets the line, as when a machine or a network dies.
        stream.set_zero_linger()?;
        stream.set_nodelay(true)?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut line = Self { stream, buffer: Vec::with_capacity(1024), start: 0 };
        let head = loop {
            line.read().await?;
            if let Some(end) = line.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
        };
        if !line.buffer.starts_with(b"HTTP/1.1 101") {
            let status = String::from_utf8_lossy(line.buffer.get(..12).unwrap_or_default()).into_owned();
            return Err(io::Error::other(format!("the handshake was answered with {status}")));
        }
        line.start = head;
        Ok(line)
    }

    /// Sends a text.
    pub(crate) async fn send(&mut self, text: &str) -> io::Result<()> {
        let length = text.len();
        assert!(length < 126, "only short texts are sent");
        // Masked with nought.
        let mut frame = vec![0x81, 0x80 | length as u8, 0, 0, 0, 0];
        frame.extend_from_slice(text.as_bytes());
        self.stream.write_all(&frame).await
    }

    /// The next text.
    pub(crate) async fn hear(&mut self) -> io::Result<&[u8]> {
        loop {
            let Some((opcode, payload, end)) = self.frame() else {
                self.read().await?;
                continue;
            };
            self.start = end;
            match opcode {
                0x1 => return Ok(&self.buffer[payload..end]),
                0x9 => self.stream.write_all(&[0x8a, 0x80, 0, 0, 0, 0]).await?,
                _ => {
                    let reason = String::from_utf8_lossy(self.buffer.get(payload + 2..end).unwrap_or_default());
                    return Err(io::Error::other(format!("closed: {reason}")));
                }
            }
        }
    }

    /// The next frame as JSON.
    pub(crate) async fn hear_json(&mut self) -> io::Result<Value> {
        Ok(serde_json::from_slice(self.hear().await?)?)
    }

    /// Opcode, begin of the payload and end of the first frame in the buffer, if it is whole.
    fn frame(&self) -> Option<(u8, usize, usize)> {
        let bytes = self.buffer.get(self.start..)?;
        let (opcode, short) = (bytes.first()? & 0x0f, usize::from(bytes.get(1)? & 0x7f));
        let (head, length) = match short {
            126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
            127 => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?),
            length => (2, length),
        };
        (bytes.len() >= head + length).then_some((opcode, self.start + head, self.start + head + length))
    }

    async fn read(&mut self) -> io::Result<()> {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}
