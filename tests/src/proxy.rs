//! A TCP proxy that a test can cut lines with.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Where a proxy leads to.
#[derive(Debug, Clone)]
pub enum Upstream {
    /// A port of the loopback address.
    Port(u16),
    /// A socket in a folder.
    Socket(PathBuf),
}

/// How lines are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cut {
    /// Both ends hear that it is over (FIN).
    Close,
    /// Both ends are told that something is wrong (RST).
    Reset,
    /// Neither end hears anything of the other any more, nor that it is over.
    Swallow,
}

/// What becomes of a line that somebody opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gate {
    Open,
    Refusing,
    Swallowing,
}

/// Passes lines on to an upstream until they are cut. Dropping it ends them all.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    gate: watch::Sender<Gate>,
    cuts: watch::Sender<Option<Cut>>,
    acceptor: JoinHandle<()>,
}

impl Proxy {
    /// Takes a free port. With several upstreams, the lines go round, past those that do not answer.
    pub async fn open(upstreams: Vec<Upstream>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("a listener has an address").port();
        let (gate, gate_is) = watch::channel(Gate::Open);
        let (cuts, cut) = watch::channel(None);
        let upstreams = Upstreams { all: upstreams, next: AtomicUsize::new(0) };
        let acceptor = tokio::spawn(accept(listener, Arc::new(upstreams), gate_is, cut));
        Self { port, gate, cuts, acceptor }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Cuts every line that is open now. New ones are passed on.
    pub fn cut(&self, how: Cut) {
        self.cuts.send_replace(Some(how));
    }

    /// Cuts every line, and does so with new ones too, until it is [mended](Self::mend).
    pub fn block(&self, how: Cut) {
        self.gate.send_replace(if how == Cut::Swallow { Gate::Swallowing } else { Gate::Refusing });
        self.cut(how);
    }

    /// Passes new lines on again. Those that were cut stay so.
    pub fn mend(&self) {
        self.gate.send_replace(Gate::Open);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

#[derive(Debug)]
struct Upstreams {
    all: Vec<Upstream>,
    next: AtomicUsize,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Upstreams {
    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let mut outcome = Err(io::ErrorKind::NotConnected.into());
        for step in 0..self.all.len() {
            outcome = self.all[(first + step) % self.all.len()].connect().await;
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }
}

impl Upstream {
    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Port(port) => {
                let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
            Self::Socket(path) => Ok(Box::new(UnixStream::connect(path).await?)),
        }
    }
}

async fn accept(
    listener: TcpListener,
    upstreams: Arc<Upstreams>,
    gate: watch::Receiver<Gate>,
    cut: watch::Receiver<Option<Cut>>,
) {
    let mut lines = JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        while lines.try_join_next().is_some() {}
        client.set_nodelay(true).ok();
        let is = *gate.borrow();
        match is {
            Gate::Open => {
                let (upstreams, mut cut) = (Arc::clone(&upstreams), cut.clone());
                cut.mark_unchanged();
                lines.spawn(async move { pass(client, &upstreams, cut).await });
            }
            Gate::Refusing => reset(&client),
            Gate::Swallowing => {
                lines.spawn(swallow(client));
            }
        }
    }
}

async fn pass(mut client: TcpStream, upstreams: &Upstreams, mut cut: watch::Receiver<Option<Cut>>) {
    let Ok(mut server) = upstreams.connect().await else { return reset(&client) };
    let how = tokio::select! {
        outcome = copy_bidirectional(&mut client, &mut server) => {
            if outcome.is_err() {
                reset(&client);
            }
            return;
        }
        changed = cut.changed() => match changed {
            Ok(()) => *cut.borrow(),
            Err(_) => None,
        },
    };
    match how {
        Some(Cut::Reset) => reset(&client),
        Some(Cut::Swallow) => {
            tokio::join!(swallow(client), swallow(server));
        }
        Some(Cut::Close) | None => {}
    }
}

/// Reads and throws away until the other end gives up.
async fn swallow(mut stream: impl AsyncRead + Unpin) {
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer).await.is_ok_and(|n_bytes| n_bytes > 0) {}
}

/// The next thing that the client sees is an RST.
fn reset(client: &TcpStream) {
    client.set_zero_linger().ok();
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    async fn echo() -> (Proxy, JoinHandle<()>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let server = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.expect("a line");
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    tokio::io::copy(&mut from, &mut to).await.ok();
                });
            }
        });
        (Proxy::open(vec![Upstream::Port(port)]).await, server)
    }

    async fn line(proxy: &Proxy) -> TcpStream {
        TcpStream::connect(proxy.address()).await.expect("the proxy listens")
    }

    async fn answers(line: &mut TcpStream) -> io::Result<bool> {
        line.write_all(b"?").await?;
        Ok(line.read(&mut [0]).await? == 1)
    }

    #[tokio::test]
    async fn a_line_works_until_it_is_cut_and_a_new_one_works() {
        let (proxy, _server) = echo().await;
        let mut first = line(&proxy).await;
        assert!(answers(&mut first).await.expect("it is open"));
        proxy.cut(Cut::Close);
        assert_eq!(first.read(&mut [0]).await.expect("no RST"), 0);
        let mut second = line(&proxy).await;
        assert!(answers(&mut second).await.expect("it is open"));
        proxy.cut(Cut::Reset);
        let error = second.read(&mut [0]).await.expect_err("an RST");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert!(answers(&mut line(&proxy).await).await.expect("it is open"));
    }

    #[tokio::test]
    async fn a_blocked_proxy_refuses_until_it_is_mended() {
        let (proxy, _server) = echo().await;
        proxy.block(Cut::Reset);
        assert!(answers(&mut line(&proxy).await).await.is_err());
        proxy.mend();
        assert!(answers(&mut line(&proxy).await).await.expect("it is open"));
    }

    /// There is no way to wait for nothing to come: what comes after the cut must come from the new line alone.
    #[tokio::test]
    async fn what_is_swallowed_is_not_answered_and_not_ended() {
        let (proxy, _server) = echo().await;
        let mut dead = line(&proxy).await;
        assert!(answers(&mut dead).await.expect("it is open"));
        proxy.block(Cut::Swallow);
        dead.write_all(b"?").await.expect("it seems open");
        proxy.mend();
        let mut alive = line(&proxy).await;
        let (mut answer, mut no_answer) = ([0], [0]);
        alive.write_all(b"!").await.expect("it is open");
        tokio::select! {
            biased;
            heard = dead.read(&mut no_answer) => panic!("the dead line spoke: {heard:?}"),
            heard = alive.read_exact(&mut answer) => { heard.expect("an answer"); }
        }
    }
}
