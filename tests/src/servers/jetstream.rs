//! Questions to JetStream's API, over NATS's own text protocol: the tests need no client for more than that.

use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks `$JS.API.<subject>` at the server with this port. An error also when JetStream answers with one.
pub async fn ask(port: u16, subject: &str, question: &str) -> io::Result<Value> {
    let answer = timeout(PATIENCE, exchange(port, subject, question)).await??;
    match answer.get("error") {
        None => Ok(answer),
        Some(error) => Err(io::Error::other(error.to_string())),
    }
}

async fn exchange(port: u16, subject: &str, question: &str) -> io::Result<Value> {
    static ASKED: AtomicU64 = AtomicU64::new(0);
    let inbox = format!("_INBOX.tests.{}.{}", std::process::id(), ASKED.fetch_add(1, Ordering::Relaxed));
    let mut stream = BufReader::new(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?);
    let connect = r#"CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true}"#;
    let length = question.len();
    let asked = format!("{connect}\r\nSUB {inbox} 1\r\nPUB $JS.API.{subject} {inbox} {length}\r\n{question}\r\n");
    stream.write_all(asked.as_bytes()).await?;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut words = line.split_whitespace();
        match words.next() {
            Some("MSG") => {
                let length = words.last().and_then(|word| word.parse().ok()).unwrap_or(0);
                let mut payload = vec![0; length];
                stream.read_exact(&mut payload).await?;
                return Ok(serde_json::from_slice(&payload)?);
            }
            Some("PING") => stream.write_all(b"PONG\r\n").await?,
            Some("HMSG" | "-ERR") => return Err(io::Error::other(line.trim().to_owned())),
            _ => {}
        }
    }
}
