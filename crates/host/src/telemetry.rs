//! What a program tells about itself while it runs: one log line per event, on standard error.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::exit::Misconfigured;

/// How and what to log.
#[derive(Debug, Clone, clap::Args)]
pub struct TelemetryConfig {
    /// For people, or one JSON object per line for machines.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Human)]
    pub log_format: LogFormat,
    /// What to log, such as `info` or `warn,natter_edge=debug`.
    #[arg(long, env = "RUST_LOG", value_name = "FILTER")]
    pub log_filter: Option<String>,
}

impl TelemetryConfig {
    /// The same, with another filter where the settings name none.
    pub fn or_filter(mut self, filter: &str) -> Self {
        self.log_filter.get_or_insert_with(|| filter.to_owned());
        self
    }
}

/// The shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Human,
    /// For machines: one JSON object per line.
    Json,
}

/// Logs from here on: level `info` and above unless the settings say otherwise. Once per process.
pub fn init(config: &TelemetryConfig) -> Result<(), Misconfigured> {
    let filter = EnvFilter::try_new(config.log_filter.as_deref().unwrap_or("info"))
        .map_err(|error| Misconfigured::new("RUST_LOG", format!("{error}; write it like `warn,natter_edge=debug`")))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let installed = match config.log_format {
        LogFormat::Human => lines.with_ansi(io::stderr().is_terminal()).finish().try_init(),
        LogFormat::Json => lines.json().flatten_event(true).finish().try_init(),
    };
    installed.map_err(|error| Misconfigured::new("RUST_LOG", format!("logging has been set up before: {error}")))?;
    Ok(())
}
