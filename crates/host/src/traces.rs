//! Whether and where traces are exported: to a collector, over OTLP.
//!
//! Spans are made by `natter_trace`. Without an endpoint nobody takes them: there is no exporter, no thread and no layer, and
//! each place that would make a span looks at an atomic, as it does for a log line below the level.

pub(crate) mod calls;
mod telling;

use std::fs;
use std::time::Duration;

use clap::ValueEnum;
use natter_trace::context::TraceContext;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::TelemetryResourceDetector;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::{Layer, Registry};

use crate::exit::Misconfigured;
use telling::Telling;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// Longest wait for a collector at the end, when all other work is done. Beside what a drain has it is little.
const FAREWELL: Duration = Duration::from_secs(2);

/// Settings of traces, under OpenTelemetry's own names.
#[derive(Debug, Clone, clap::Args)]
pub struct TracesConfig {
    /// Collector that gets traces over OTLP (gRPC), such as `http://otel-collector:4317`. Without it there are none. What else
    /// OpenTelemetry has for its exporter holds too: OTEL_EXPORTER_OTLP_HEADERS and _TIMEOUT, OTEL_BSP_MAX_QUEUE_SIZE and so on.
    #[arg(long = "otlp-endpoint", env = ENDPOINT, value_name = "URL")]
    pub endpoint: Option<String>,
    /// What this program is called in traces. Unless given, what it is called anyway.
    #[arg(long = "otel-service-name", env = "OTEL_SERVICE_NAME", value_name = "NAME", hide_short_help = true)]
    pub service_name: Option<String>,
    /// More about this process, such as `k8s.pod.name=edge-1,deployment.environment.name=prod`.
    #[arg(
        long = "otel-resource-attributes",
        env = "OTEL_RESOURCE_ATTRIBUTES",
        value_name = "KEY=VALUE,…",
        default_value = "",
        hide_short_help = true
    )]
    pub resource_attributes: String,
    /// Which traces are exported. With `parentbased_`, as whoever called has decided, if anybody called.
    #[arg(
        long = "traces-sampler",
        env = "OTEL_TRACES_SAMPLER",
        value_enum,
        default_value_t = SamplerName::ParentbasedAlwaysOn,
        hide_short_help = true
    )]
    pub sampler: SamplerName,
    /// Part of the traces that a sampler with `traceidratio` exports, 0 to 1.
    #[arg(
        long = "traces-sampler-arg",
        env = "OTEL_TRACES_SAMPLER_ARG",
        value_name = "RATIO",
        value_parser = ratio,
        default_value = "1",
        hide_short_help = true
    )]
    pub sampler_arg: f64,
}

/// The samplers that OpenTelemetry gives names to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum SamplerName {
    /// All.
    AlwaysOn,
    /// None.
    AlwaysOff,
    /// A part.
    #[value(name = "traceidratio")]
    TraceIdRatio,
    /// All that nobody has decided about.
    ParentbasedAlwaysOn,
    /// None but those that a caller wants.
    ParentbasedAlwaysOff,
    /// A part of those that nobody has decided about.
    #[value(name = "parentbased_traceidratio")]
    ParentbasedTraceIdRatio,
}

/// Exports traces until it is dropped, which waits a moment for the last ones. Keep it until all else has ended.
#[derive(Debug)]
#[must_use = "dropping it ends the export"]
pub struct Traces {
    provider: Option<SdkTracerProvider>,
}

impl Traces {
    /// Exports what `program` does, if the settings say where to. Needs a Tokio runtime of several threads; that the collector
    /// can be reached is found out later, told in the log, and holds nobody up: what waits for it has a bound, and is
    /// dropped beyond it.
    pub fn open(program: &'static str, config: &TracesConfig) -> Result<Self, Misconfigured> {
        let Some(endpoint) = config.endpoint.as_deref().filter(|endpoint| !endpoint.is_empty()) else {
            return Ok(Self { provider: None });
        };
        let no_url = |why: String| {
            let mend = "give a URL such as http://otel-collector:4317";
            Misconfigured::new(ENDPOINT, format!("'{endpoint}' cannot be used: {why}; {mend}"))
        };
        if !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
            return Err(no_url("it begins with neither http:// nor https://".to_owned()));
        }
        let resource = resource(program, config)?;
        let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint).build();
        let exporter = Telling::new(exporter.map_err(|error| no_url(error.to_string()))?, endpoint);
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_sampler(config.sampler.with(config.sampler_arg))
            .with_batch_exporter(exporter)
            .build();
        natter_trace::switch_on();
        Ok(Self { provider: Some(provider) })
    }

    /// What makes traces of the spans, and of nothing else. `None`: traces are off.
    pub(crate) fn layer(&self) -> Option<impl Layer<Registry> + use<>> {
        let tracer = self.provider.as_ref()?.tracer("natter");
        let ours = filter_fn(|metadata| metadata.is_span() && metadata.target() == natter_trace::TARGET);
        let layer = tracing_opentelemetry::layer().with_tracer(tracer).with_location(false).with_threads(false);
        let layer = layer.with_target(false).with_level(false).with_tracked_inactivity(false);
        Some(layer.with_filter(ours.with_max_level_hint(LevelFilter::INFO)))
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        if let Some(provider) = &self.provider {
            // What the collector did not take has been told of.
            let _ = provider.shutdown_with_timeout(FAREWELL);
        }
    }
}

/// The trace that whatever runs here belongs to, as one looks it up. For the lines of the log. `None`: none, or traces are off.
pub fn current_trace_id() -> Option<String> {
    TraceContext::current().map(|context| context.trace_id())
}

impl SamplerName {
    fn with(self, ratio: f64) -> Sampler {
        let root = match self {
            Self::AlwaysOn | Self::ParentbasedAlwaysOn => Sampler::AlwaysOn,
            Self::AlwaysOff | Self::ParentbasedAlwaysOff => Sampler::AlwaysOff,
            Self::TraceIdRatio | Self::ParentbasedTraceIdRatio => Sampler::TraceIdRatioBased(ratio),
        };
        match self {
            Self::AlwaysOn | Self::AlwaysOff | Self::TraceIdRatio => root,
            Self::ParentbasedAlwaysOn | Self::ParentbasedAlwaysOff | Self::ParentbasedTraceIdRatio => {
                Sampler::ParentBased(Box::new(root))
            }
        }
    }
}

fn resource(program: &'static str, config: &TracesConfig) -> Result<Resource, Misconfigured> {
    let name = config.service_name.clone().filter(|name| !name.is_empty());
    // Several processes of one program may run on one machine.
    let instance = format!("{:032x}", rand::random::<u128>());
    let mut builder = Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_service_name(name.unwrap_or_else(|| program.to_owned()))
        .with_attribute(KeyValue::new("service.namespace", "natter"))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(KeyValue::new("service.instance.id", instance));
    // In Kubernetes the name of the pod.
    if let Ok(host) = fs::read_to_string("/proc/sys/kernel/hostname") {
        builder = builder.with_attribute(KeyValue::new("host.name", host.trim().to_owned()));
    }
    for pair in config.resource_attributes.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or_else(|| {
            Misconfigured::new("OTEL_RESOURCE_ATTRIBUTES", format!("'{pair}' is no KEY=VALUE; put commas between them"))
        })?;
        builder = builder.with_attribute(KeyValue::new(key.to_owned(), value.to_owned()));
    }
    Ok(builder.build())
}

fn ratio(text: &str) -> Result<f64, String> {
    let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    ratio.ok_or_else(|| "it is no number from 0 to 1".to_owned())
}

#[cfg(test)]
mod tests;
