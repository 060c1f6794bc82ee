//! What a program tells about itself while it runs: one log line per event, on standard error.

mod ties;

use std::io::{self, IsTerminal as _};

use tracing::{Level, Metadata};
use tracing_subscriber::filter::{FilterExt as _, dynamic_filter_fn, filter_fn};
use tracing_subscriber::layer::{Identity, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use crate::exit::Misconfigured;
use crate::traces::Traces;
use ties::Tied;

/// How and what to log.
#[derive(Debug, Clone, clap::Args)]
pub struct TelemetryConfig {
    /// For people, or one JSON object per line for machines.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Human)]
    pub log_format: LogFormat,
    /// What to log, such as `info` or `warn,natter_edge=debug`. Libraries tell nothing below `info`, whatever is asked for:
    /// there they write tokens and messages.
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
    install(config, None::<Identity>)
}

/// As [`init`], and what the spans tell goes into the traces.
pub fn init_with(config: &TelemetryConfig, traces: &Traces) -> Result<(), Misconfigured> {
    install(config, traces.layer())
}

fn install(config: &TelemetryConfig, traces: Option<impl Layer<Registry> + Send + Sync>) -> Result<(), Misconfigured> {
    let filter = EnvFilter::try_new(config.log_filter.as_deref().unwrap_or("info"))
        .map_err(|error| Misconfigured::new("RUST_LOG", format!("{error}; write it like `warn,natter_edge=debug`")))?;
    // Spans of traces are none of the log's business: where nobody else takes them, they are never made.
    let filter = filter.and(filter_fn(|metadata| metadata.target() != natter_trace::TARGET));
    // Dynamic, so that it is asked for each line. Otherwise a line is lost after a library has asked whether one would be
    // written that is not, as sqlx does for each statement: a layer's filter remembers the last answer of its thread.
    let filter = filter.and(dynamic_filter_fn(|metadata, _| is_harmless(metadata)));
    let lines = fmt::layer().with_writer(io::stderr);
    let registry = tracing_subscriber::registry().with(traces);
    let installed = match config.log_format {
        LogFormat::Human => {
            let lines = lines.with_ansi(io::stderr().is_terminal()).map_event_format(Tied::words);
            registry.with(lines.with_filter(filter)).try_init()
        }
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true).map_event_format(Tied::object);
            registry.with(lines.with_filter(filter)).try_init()
        }
    };
    installed.map_err(|error| Misconfigured::new("RUST_LOG", format!("logging has been set up before: {error}")))?;
    Ok(())
}

/// HTTP, WebSocket and NATS libraries tell headers and payloads on the levels `debug` and `trace`. What is ours tells neither.
fn is_harmless(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("natter") || *metadata.level() <= Level::INFO
}
