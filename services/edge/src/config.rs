//! The knobs of the edge.

pub mod dialect;
pub mod limits;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::config::dialect::Dialect;
use crate::config::limits::LimitsConfig;

/// What an edge can be told. [`EdgeConfig::default`] is what it does untold.
#[derive(Debug, Clone, clap::Args)]
pub struct EdgeConfig {
    /// Address for clients: WebSocket and REST. Port 0 takes a free one.
    #[arg(long, env = "EDGE_LISTEN", default_value_t = EdgeConfig::default().listen)]
    pub listen: SocketAddr,

    /// How REST answers, and what tokens tell: as the Django chat at the time of the seed, or as in its later commits, whose
    /// front end needs that. Sockets say the keys of both at once.
    #[arg(long, env = "EDGE_DIALECT", default_value_t = EdgeConfig::default().dialect, value_enum)]
    pub dialect: Dialect,

    /// Frames of a conversation kept in memory while somebody is there. A client further behind is served from the
    /// log, at its own pace. A frame takes 100 to 500 bytes.
    #[arg(long, env = "EDGE_WINDOW_FRAMES", default_value_t = EdgeConfig::default().window_frames, value_parser = window_frames)]
    pub window_frames: usize,

    /// Bytes of frames kept in this way for all conversations together. Beyond, those in which something happens keep 16
    /// frames.
    #[arg(long, env = "EDGE_WINDOWS_BYTES", default_value_t = EdgeConfig::default().windows_bytes)]
    pub windows_bytes: usize,

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

    /// Percent of EDGE_MAX_CONNECTIONS from which on the edge says that it is not ready, so that new clients go
    /// elsewhere before they are refused. It is ready again 5 percent below.
    #[arg(long, env = "EDGE_CROWDED_PERCENT", default_value_t = EdgeConfig::default().crowded_percent, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub crowded_percent: u8,

    /// Seconds that a client may leave what it was sent unread before it is closed. It loses nothing by it, and costs
    /// little meanwhile: see EDGE_UNSENT_BYTES for the sum. Ten minutes outlast a lift, and most tunnels.
    #[arg(long, env = "EDGE_SLOW_SECONDS", default_value_t = EdgeConfig::default().slow_seconds)]
    pub slow_seconds: u64,

    /// Bytes of frames that a connection holds while it writes them; the last frame may go beyond. More makes fewer
    /// system calls, less makes a client that does not read cheaper.
    #[arg(long, env = "EDGE_BATCH_BYTES", default_value_t = EdgeConfig::default().batch_bytes)]
    pub batch_bytes: usize,

    /// Bytes that all connections together hold in this way. Beyond, each gets one frame at a time.
    #[arg(long, env = "EDGE_BATCHES_BYTES", default_value_t = EdgeConfig::default().batches_bytes)]
    pub batches_bytes: usize,

    /// Bytes of frames kept for some seconds after they were read from persistence or the log, so that many who are
    /// behind in the same conversation read them once.
    #[arg(long, env = "EDGE_PAGES_BYTES", default_value_t = EdgeConfig::default().pages_bytes)]
    pub pages_bytes: usize,

    /// Bytes that the system keeps for a client that does not read, besides what is on its way (TCP_NOTSENT_LOWAT).
    /// Without it the system takes 3.9 MB for a client on a fast line (measured), with 64 KiB 70 to 100 KB, with 16 KiB
    /// 33 KB. With a batch, a write buffer of 16 KiB and 32 replies such a client takes 180 KB, at most.
    #[arg(long, env = "EDGE_UNSENT_BYTES", default_value_t = EdgeConfig::default().unsent_bytes)]
    pub unsent_bytes: u32,

    /// Folder with the attachments of messages. Without it there are none.
    #[arg(long, env = "EDGE_MEDIA_ROOT")]
    pub media_root: Option<PathBuf>,

    /// Largest attachment taken, in bytes. 25 MiB is what mail usually takes.
    #[arg(long, env = "EDGE_ATTACHMENT_MAX_BYTES", default_value_t = EdgeConfig::default().attachment_max_bytes)]
    pub attachment_max_bytes: u64,

    /// Seconds between saying that it is not ready and refusing connections when the edge drains: what a load balancer
    /// needs to notice. None where something else waits already, such as a `preStop` hook.
    #[arg(long, env = "EDGE_DRAIN_DELAY_SECONDS", default_value_t = EdgeConfig::default().drain_delay_seconds)]
    pub drain_delay_seconds: u64,

    /// Seconds over which the sockets are closed when the edge drains, so that the clients do not all reconnect at
    /// once. Few sockets take less. Keep it below DRAIN_SECONDS.
    #[arg(long, env = "EDGE_DRAIN_SPREAD_SECONDS", default_value_t = EdgeConfig::default().drain_spread_seconds)]
    pub drain_spread_seconds: u64,

    /// How much one client may ask.
    #[command(flatten)]
    pub limits: LimitsConfig,
}

impl Default for EdgeConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8000)),
            dialect: Dialect::Seed,
            window_frames: 256,
            windows_bytes: 256 << 20,
            room_linger_seconds: 30,
            admission_seconds: 5,
            max_connections: 50_000,
            crowded_percent: 90,
            slow_seconds: 600,
            batch_bytes: 64 << 10,
            batches_bytes: 256 << 20,
            pages_bytes: 32 << 20,
            unsent_bytes: 64 << 10,
            media_root: None,
            attachment_max_bytes: 25 << 20,
            drain_delay_seconds: 0,
            drain_spread_seconds: 10,
            limits: LimitsConfig::default(),
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

    pub(crate) fn slow(&self) -> Duration {
        Duration::from_secs(self.slow_seconds)
    }

    pub(crate) fn drain_delay(&self) -> Duration {
        Duration::from_secs(self.drain_delay_seconds)
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
