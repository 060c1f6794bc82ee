//! Settings of `natter top`.

use clap::Args;

use crate::top::address::OpsAddress;

/// Where the ops ports of programs are that were not told otherwise: edge, authz, persistence, redis-adapter, mirror.
const LOCAL_PORTS: [u16; 5] = [9090, 9091, 9092, 9093, 9094];

#[derive(Debug, Args)]
pub(crate) struct TopConfig {
    /// Ops ports of the programs to watch, such as `http://127.0.0.1:9090`, with commas between them. A name that stands for
    /// several machines, as that of a headless Service does, is all of them. Unless given, those that answer on this
    /// machine's ports 9090 to 9094.
    #[arg(long, env = "NATTER_OPS", value_delimiter = ',')]
    pub(crate) ops: Vec<OpsAddress>,
    /// Seconds between two looks, over which rates and latencies are told.
    #[arg(long = "every", default_value_t = 1, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) every_seconds: u64,
    /// Tells what happens between two looks, and ends: with 0 if anybody answered. So it does too if standard output is no
    /// terminal.
    #[arg(long)]
    pub(crate) once: bool,
    /// Tells it as JSON, in seconds and bytes, and ends.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where programs on this machine may be.
pub(crate) fn local() -> Vec<OpsAddress> {
    LOCAL_PORTS.map(OpsAddress::local).to_vec()
}
