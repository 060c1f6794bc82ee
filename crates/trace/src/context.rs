//! The place of a span in its trace, as W3C Trace Context carries it: in `traceparent` and `tracestate`.

use std::marker::PhantomData;

use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator as _};
use opentelemetry::trace::{SpanContext, TraceContextExt as _, TraceFlags};
use opentelemetry_sdk::propagation::TraceContextPropagator;

use crate::is_on;

/// The header that says which span something is done for.
pub const TRACEPARENT: &str = "traceparent";
/// Where in it the parts of a `traceparent` end, and how long it is in version 00.
const DASHES: [usize; 3] = [2, 35, 52];
const LENGTH: usize = 55;

/// A span that others may go on from, in this process or in another one. Boxed, because most of what is handed around is
/// not traced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext(Box<SpanContext>);

impl TraceContext {
    /// That of the span which runs here. `None`: none does, or traces are off.
    pub fn current() -> Option<Self> {
        Context::map_current(|context| Self::of(context.span().span_context()))
    }

    /// That of the span which runs here, if it is exported.
    ///
    /// What is kept (a record in the log) is to carry no other. W3C has unsampled contexts passed on too, so that whoever
    /// is called does not decide again. That holds for calls; but nobody who takes a record begins a trace, so that for them a
    /// record without one says the same, and seventy bytes that nobody will ever look at would stay for days in each.
    pub fn current_sampled() -> Option<Self> {
        Self::current().filter(Self::is_sampled)
    }

    /// The one that headers carry. `None`: none, one that is malformed (W3C: as if there were none), or traces are off.
    pub fn read<'a>(header: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        // The propagator takes more than W3C has.
        if !is_on() || !header(TRACEPARENT).is_some_and(is_well_formed) {
            return None;
        }
        let context =
            TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(header, PhantomData));
        Self::of(context.span().span_context())
    }

    /// Gives the headers that carry it.
    pub fn write(&self, set: impl FnMut(&str, String)) {
        TraceContextPropagator::new().inject_context(&self.remote(), &mut Setter(set));
    }

    /// The header that carries what is kept. No `tracestate`: it is up to 512 bytes of somebody else's.
    pub fn traceparent(&self) -> String {
        let flags = self.0.trace_flags() & TraceFlags::SAMPLED;
        format!("00-{}-{}-{flags:02x}", self.0.trace_id(), self.0.span_id())
    }

    /// The trace, in hexadecimal, as one looks it up.
    pub fn trace_id(&self) -> String {
        self.0.trace_id().to_string()
    }

    /// Whether its span is exported.
    pub fn is_sampled(&self) -> bool {
        self.0.is_sampled()
    }

    pub(crate) fn remote(&self) -> Context {
        Context::new().with_remote_span_context(self.span_context().clone())
    }

    pub(crate) fn span_context(&self) -> &SpanContext {
        &self.0
    }

    fn of(context: &SpanContext) -> Option<Self> {
        context.is_valid().then(|| Self(Box::new(context.clone())))
    }
}

/// Of version 00, or of a later one, which begins the same.
fn is_well_formed(traceparent: &str) -> bool {
    let bytes = traceparent.as_bytes();
    let is_lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let is_as_long = bytes.len() == LENGTH || !traceparent.starts_with("00") && bytes.get(LENGTH) == Some(&b'-');
    is_as_long
        && bytes[..LENGTH].iter().enumerate().all(|(place, &byte)| match DASHES.contains(&place) {
            true => byte == b'-',
            false => is_lower_hex(byte),
        })
}

struct Headers<'a, F>(F, PhantomData<&'a str>);

impl<'a, F: Fn(&str) -> Option<&'a str>> Extractor for Headers<'a, F> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0(key)
    }

    fn keys(&self) -> Vec<&str> {
        Vec::new()
    }
}

struct Setter<F>(F);

impl<F: FnMut(&str, String)> Injector for Setter<F> {
    fn set(&mut self, key: &str, value: String) {
        if !value.is_empty() {
            self.0(key, value);
        }
    }
}
