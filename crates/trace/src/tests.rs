//! In one test, because spans are switched on for the whole process.

use opentelemetry::trace::{SpanId, TracerProvider as _};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::context::{TRACEPARENT, TraceContext};
use crate::{spans, switch_on};

const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn read(traceparent: &str) -> Option<TraceContext> {
    TraceContext::read(|name| (name == TRACEPARENT).then_some(traceparent))
}

#[test]
fn a_trace_goes_on_from_what_headers_carry_and_bad_headers_are_as_none() {
    assert_eq!(read(GOOD), None, "traces are off");
    switch_on();
    let context = read(GOOD).expect("it is good");
    assert_eq!((context.traceparent().as_str(), context.is_sampled()), (GOOD, true));
    assert_eq!(context.trace_id(), "0af7651916cd43dd8448eb211c80319c");
    let unsampled = GOOD.replace("-01", "-00");
    assert!(!read(&unsampled).expect("it is good").is_sampled());
    let later = format!("{}-more", GOOD.replacen("00", "cc", 1));
    assert_eq!(read(&later).expect("a later version may be longer").traceparent(), GOOD);
    for bad in [
        "",
        "0",
        "0-1-1-1",
        &GOOD[..54],
        &format!("{GOOD}-more"),
        &format!("{GOOD} "),
        &GOOD.to_uppercase(),
        &GOOD.replacen("00", "ff", 1),
        &GOOD.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
        &GOOD.replace("b7ad6b7169203331", &"0".repeat(16)),
        &GOOD.replace('-', "_"),
        &GOOD.replace("0af7", "+af7"),
        &GOOD.replace("0af7", "0äf"),
    ] {
        assert_eq!(read(bad), None, "{bad}");
    }

    let mut written = Vec::new();
    context.write(|name, value| written.push((name.to_owned(), value)));
    assert_eq!(written, [(TRACEPARENT.to_owned(), GOOD.to_owned())], "an empty tracestate is not written");

    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let handed_on = tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        assert_eq!(TraceContext::current(), None, "no span runs");
        let handed_on = spans::frame("message", 7).in_scope(|| {
            let publish = spans::publish("nats", 7, "e");
            let handed_on = publish.in_scope(TraceContext::current_sampled);
            spans::published(&publish, 12);
            handed_on
        });
        let handed_on = handed_on.expect("a span runs, and is exported");
        spans::failed(&spans::process("fold", &handed_on, 7, 12), "unavailable");
        assert_eq!(
            spans::process("fold", &read(&unsampled).expect("it is good"), 7, 12)
                .in_scope(TraceContext::current_sampled),
            None
        );
        handed_on
    });
    let exported = exporter.get_finished_spans().expect("it can be asked");
    let [publish, frame, fold] = &exported[..] else { panic!("{exported:?}") };
    assert_eq!([&*frame.name, &*publish.name, &*fold.name], ["frame message", "publish chat", "fold chat"]);
    assert_eq!(frame.parent_span_id, SpanId::INVALID);
    assert_eq!(publish.parent_span_id, frame.span_context.span_id());
    assert_eq!(fold.parent_span_id, publish.span_context.span_id());
    assert_eq!(fold.links.len(), 1);
    for span in &exported {
        assert_eq!(span.span_context.trace_id().to_string(), handed_on.trace_id());
    }
}
