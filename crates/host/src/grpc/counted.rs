//! A service whose calls are counted, so that one can see whether its processes get equal shares.

use std::task::{Context, Poll};

use metrics::{Counter, counter, describe_counter};
use tonic::server::NamedService;
use tower::Service;

const CALLS: &str = "natter_grpc_calls_total";

/// The service, and how many calls it got.
#[derive(Clone)]
pub(super) struct Counted<S> {
    service: S,
    calls: Counter,
}

impl<S: NamedService> Counted<S> {
    pub(super) fn new(service: S) -> Self {
        describe_counter!(
            CALLS,
            "Calls that this program was asked to answer over gRPC, those about its health aside."
        );
        let calls = counter!(CALLS, "service" => S::NAME);
        calls.absolute(0);
        Self { service, calls }
    }
}

impl<S: NamedService> NamedService for Counted<S> {
    const NAME: &'static str = S::NAME;
}

impl<S: Service<R>, R> Service<R> for Counted<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        self.calls.increment(1);
        self.service.call(request)
    }
}
