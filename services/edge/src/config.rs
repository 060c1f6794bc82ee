//! The knobs of the edge.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// What an edge can be told. [`EdgeConfig::default`] is what it does untold.
#[derive(Debug, Clone, clap::Args)]
pub struct EdgeConfig {
    /// Address for clients: WebSocket and REST. Port 0 takes a free one.
    #[arg(long, env = "EDGE_LISTEN", default_value_t = EdgeConfig::default().listen)]
    pub listen: SocketAddr,

    /// Frames of a conversation kept in memory while somebody is there. A client further behind is served from the
    /// log, at its own pace. A frame takes 100 to 500 bytes.
    #[arg(long, env = "EDGE_WINDOW_FRAMES", default_value_t = EdgeConfig::default().window_frames, value_parser = window_frames)]
    pub window_frames: usize,

    /// Seconds a room stays open after the last client has left, so that those who come back are served from memory.
    #[arg(long, env = "EDGE_ROOM_LINGER_SECONDS", default_value_t = EdgeConfig::default().room_linger_seconds)]
    pub room_linger_seconds: u64,

    /// Seconds that the answers of authz are remembered: so long a change of rights may go unnoticed, and so long
    /// known clients can reconnect while authz is away.
    #[arg(long, env = "EDGE_ADMISSION_SECONDS", default_value_t = EdgeConfig::default().admission_seconds)]
    pub admission_seconds: u64,

    /// Sockets open at once; the next one is closed with 1013. At about 6 KiB each, 50 000 take 300 MB.
    #[arg(long, env = "EDGE_MAX_CONNECTIONS", default_value_t = EdgeConfig::default().max_connections)]
    pub max_connections: usize,

    /// Folder with the attachments of messages. Without it there are none.
    #[arg(long, env = "EDGE_MEDIA_ROOT")]
    pub media_root: Option<PathBuf>,

    /// Largest attachment taken, in bytes. 25 MiB is what mail usually takes.
    #[arg(long, env = "EDGE_ATTACHMENT_MAX_BYTES", default_value_t = EdgeConfig::default().attachment_max_bytes)]
    pub attachment_max_bytes: u64,

    /// Seconds over which the sockets are closed when the edge drains, so that the clients do not all reconnect at
    /// once. Few sockets take less. Keep it below DRAIN_SECONDS.
    #[arg(long, env = "EDGE_DRAIN_SPREAD_SECONDS", default_value_t = EdgeConfig::default().drain_spread_seconds)]
    pub drain_spread_seconds: u64,
}

impl Default for EdgeConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8000)),
            window_frames: 256,
            room_linger_seconds: 30,
            admission_seconds: 5,
            max_connections: 50_000,
            media_root: None,
            attachment_max_bytes: 25 << 20,
            drain_spread_seconds: 10,
        }
    }
}

impl EdgeConfig {
    pub(crate) fn room_linger(&self) -> Duration {
        Duration::from_secs(self.room_linger_seconds)
    }

    pub(crate) fn admission(&self) -> Duration {
        Duration::from_secs(self.admission_seconds)
    }

    pub(crate) fn drain_spread(&self) -> Duration {
        Duration::from_secs(self.drain_spread_seconds)
    }
}

fn window_frames(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(frames) if (1..=65_536).contains(&frames) => Ok(frames),
        _ => Err("a number from 1 to 65536 is needed".to_owned()),
    }
}
