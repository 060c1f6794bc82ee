//! A collector of traces: takes what programs export over OTLP, and shows it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span as Exported;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use crate::wait::until;

/// Listens until it is dropped.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    received: Received,
    server: JoinHandle<()>,
}

/// A span that was exported.
#[derive(Debug, Clone)]
pub struct Span {
    /// The program that did it.
    pub service: String,
    /// Which process of that program.
    pub instance: String,
    /// What was done.
    pub name: String,
    /// In hexadecimal, like all ids here.
    pub trace: String,
    /// Its own id.
    pub id: String,
    /// That of its parent; empty if it has none.
    pub parent: String,
    /// Of which spans it says that it goes back to them.
    pub links: Vec<String>,
    /// As text.
    pub attributes: BTreeMap<String, String>,
    /// It failed.
    pub is_error: bool,
}

impl Span {
    /// An attribute; empty if there is none.
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

impl Collector {
    /// One on a free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let received = Received::default();
        let serving = Server::builder()
            .add_service(TraceServiceServer::new(received.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        let server = tokio::spawn(async move { serving.await.expect("it serves until it is ended") });
        Self { address, received, server }
    }

    /// What programs are told.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All that has come.
    pub fn spans(&self) -> Vec<Span> {
        self.received.lock().clone()
    }

    /// The spans of a trace that has one such, as soon as `is_whole` says of one that all are there.
    pub async fn trace(
        &self,
        what: &str,
        is_it: impl Fn(&Span) -> bool,
        is_whole: impl Fn(&[Span]) -> bool,
    ) -> Vec<Span> {
        until(what, async || {
            let spans = self.spans();
            spans.iter().filter(|span| is_it(span)).find_map(|found| {
                let trace: Vec<Span> = spans.iter().filter(|span| span.trace == found.trace).cloned().collect();
                is_whole(&trace).then_some(trace)
            })
        })
        .await
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[derive(Debug, Clone, Default)]
struct Received(Arc<Mutex<Vec<Span>>>);

impl Received {
    fn lock(&self) -> MutexGuard<'_, Vec<Span>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[tonic::async_trait]
impl TraceService for Received {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for of_process in request.into_inner().resource_spans {
            let resource = attributes(of_process.resource.unwrap_or_default().attributes);
            let get = |name: &str| resource.get(name).cloned().unwrap_or_default();
            let spans = of_process.scope_spans.into_iter().flat_map(|scope| scope.spans);
            self.lock().extend(spans.map(|span| read(span, get("service.name"), get("service.instance.id"))));
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn read(span: Exported, service: String, instance: String) -> Span {
    Span {
        service,
        instance,
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        links: span.links.iter().map(|link| hex(&link.span_id)).collect(),
        attributes: attributes(span.attributes),
        is_error: span.status.is_some_and(|status| status.code() == StatusCode::Error),
        name: span.name,
    }
}

fn attributes(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    attributes.into_iter().map(|attribute| (attribute.key, text(attribute.value))).collect()
}

fn text(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
