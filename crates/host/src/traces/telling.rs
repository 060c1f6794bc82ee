//! An exporter that says when its collector cannot be reached: once, not with each batch.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use tracing::{info, warn};

/// Exports by another exporter, and tells the log when that begins to fail and when it is over.
#[derive(Debug)]
pub(super) struct Telling<E> {
    exporter: E,
    endpoint: String,
    is_failing: AtomicBool,
}

impl<E> Telling<E> {
    pub(super) fn new(exporter: E, endpoint: &str) -> Self {
        Self { exporter, endpoint: endpoint.to_owned(), is_failing: AtomicBool::new(false) }
    }
}

impl<E: SpanExporter> SpanExporter for Telling<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let exported = self.exporter.export(batch).await;
        let endpoint = &self.endpoint;
        match &exported {
            Ok(()) if self.is_failing.swap(false, Ordering::Relaxed) => info!(endpoint, "traces are exported again"),
            Err(error) if !self.is_failing.swap(true, Ordering::Relaxed) => {
                warn!(endpoint, %error, spans, "traces are lost until the collector takes them; nothing else is held up");
            }
            _ => {}
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn shutdown(&self) -> OTelSdkResult {
        self.exporter.shutdown()
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_sdk::error::OTelSdkError;
    use std::io;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::fmt::MakeWriter;

    /// Fails as often as it is told to.
    #[derive(Debug)]
    struct Failing(Mutex<Vec<bool>>);

    impl SpanExporter for Failing {
        async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
            let fails = self.0.lock().unwrap().remove(0);
            if fails { Err(OTelSdkError::InternalFailure("no route".to_owned())) } else { Ok(()) }
        }
    }

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Lines {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    #[tokio::test]
    async fn a_collector_that_is_away_is_told_of_once_and_so_is_its_return() {
        let lines = Lines::default();
        let subscriber = tracing_subscriber::fmt().with_writer(lines.clone()).with_ansi(false).finish();
        let _here = tracing::subscriber::set_default(subscriber);
        let fails = vec![false, true, true, true, false, false, true];
        let n_exports = fails.len();
        let telling = Telling::new(Failing(Mutex::new(fails)), "http://collector:4317");
        for _ in 0..n_exports {
            // It is the line that matters here.
            let _ = telling.export(Vec::new()).await;
        }
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let kinds: Vec<bool> = text.lines().map(|line| line.contains("lost") && line.contains("no route")).collect();
        assert_eq!(kinds, [true, false, true], "{text}");
        assert!(text.lines().all(|line| line.contains("http://collector:4317")), "{text}");
    }
}
