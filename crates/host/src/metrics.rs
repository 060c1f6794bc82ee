//! What a program counts while it runs, as Prometheus reads it.
//!
//! Crates count by the macros of `metrics`, each in a `metrics.rs` that names and describes what it counts. Without
//! [`install`] counting does nothing.

use std::time::Duration;

use anyhow::Context as _;
use metrics::{describe_gauge, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;
use tokio::task::{self, JoinError};
use tokio::time;

/// Bounds of the histograms of durations, in seconds: from one append on a local disk to the deadline of a call.
const SECONDS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Time between two moments at which samples are put into their buckets; in between they take memory one by one.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);
const WAITING_FOR: &str = "natter_waiting_for";

/// All that is counted in this process. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    counted: PrometheusHandle,
    process: Collector,
}

/// Counts from here on. Once per process, and before anything is described.
pub fn install() -> anyhow::Result<Metrics> {
    let counted = builder()?.install_recorder().context("counting has been set up before")?;
    let process = Collector::default();
    process.describe();
    describe_gauge!(WAITING_FOR, "1 while the program waits for this before it can do its work, 0 while it has it.");
    Ok(Metrics { counted, process })
}

/// Whether the program waits for this; see [`Readiness`](crate::readiness::Readiness).
pub(crate) fn waiting_for(need: &'static str, is_waited_for: bool) {
    gauge!(WAITING_FOR, "need" => need).set(f64::from(u8::from(is_waited_for)));
}

fn builder() -> anyhow::Result<PrometheusBuilder> {
    let durations = Matcher::Suffix("_seconds".to_owned());
    PrometheusBuilder::new().set_buckets_for_metric(durations, &SECONDS).context("bounds of durations")
}

impl Metrics {
    /// Of nothing that anybody counts.
    #[cfg(test)]
    pub(crate) fn detached() -> Self {
        Self { counted: builder().unwrap().build_recorder().handle(), process: Collector::default() }
    }

    /// In Prometheus' text format.
    pub async fn render(&self) -> Result<String, JoinError> {
        let metrics = self.clone();
        // Looking at the process reads one directory entry per open file.
        task::spawn_blocking(move || {
            metrics.process.collect();
            metrics.counted.render()
        })
        .await
    }

    /// Keeps the memory bounded while nobody asks. Never returns.
    pub async fn keep_up(&self) {
        let mut ticks = time::interval(UPKEEP_EVERY);
        loop {
            ticks.tick().await;
            self.counted.run_upkeep();
        }
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics::{counter, histogram};

    #[tokio::test]
    async fn what_is_counted_can_be_read_and_so_can_the_process() {
        let recorder = builder().unwrap().build_recorder();
        let metrics = Metrics { counted: recorder.handle(), process: Collector::default() };
        metrics::with_local_recorder(&recorder, || {
            counter!("natter_things_total", "kind" => "small").increment(2);
            histogram!("natter_thing_seconds").record(0.002);
            metrics.process.collect();
        });
        let text = metrics.render().await.unwrap();
        for line in [
            "natter_things_total{kind=\"small\"} 2",
            "natter_thing_seconds_bucket{le=\"0.0025\"} 1",
            "natter_thing_seconds_count 1",
        ] {
            assert!(text.lines().any(|read| read == line), "{line} is missing from {text}");
        }
        for name in ["process_open_fds", "process_max_fds", "process_resident_memory_bytes"] {
            assert!(text.contains(name), "{name} is missing from {text}");
        }
    }
}
