//! The port for whoever looks after the program: `/livez`, `/readyz` and `/metrics`.

use std::net::SocketAddr;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::exit::Misconfigured;
use crate::listen;
use crate::metrics::Metrics;
use crate::readiness::Readiness;

/// Prometheus' text format, as it names it.
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The ops port, taken and not yet served.
#[derive(Debug)]
pub struct Ops {
    listener: TcpListener,
    address: SocketAddr,
}

/// Answers probes until it is dropped.
#[derive(Debug)]
#[must_use = "dropping it ends the answers"]
pub struct Probes {
    _server: AbortOnDropHandle<()>,
    _upkeep: AbortOnDropHandle<()>,
}

impl Ops {
    /// Takes the port. `setting` is the environment variable that the address came from.
    pub async fn bind(setting: &str, address: SocketAddr) -> Result<Self, Misconfigured> {
        let listener = listen::bind(setting, address).await?;
        let address = listener.local_addr().map_err(|error| listen::refused(setting, address, &error))?;
        Ok(Self { listener, address })
    }

    /// The address it got.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `/livez` is 200 as long as the program runs; `/readyz` is 200 or 503 and says what is waited for;
    /// `/metrics` is for Prometheus. Answers also while the program drains: keep the guard until the end.
    pub fn serve(self, readiness: Readiness, metrics: Metrics) -> Probes {
        let router = router(readiness, metrics.clone());
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(self.listener, router).await {
                tracing::error!(%error, "the ops port is closed");
            }
        });
        let upkeep = tokio::spawn(async move { metrics.keep_up().await });
        Probes { _server: AbortOnDropHandle::new(server), _upkeep: AbortOnDropHandle::new(upkeep) }
    }
}

fn router(readiness: Readiness, metrics: Metrics) -> Router {
    Router::new()
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(readyz).with_state(readiness))
        .route("/metrics", get(scrape).with_state(metrics))
}

async fn readyz(State(readiness): State<Readiness>) -> Response {
    let waiting = readiness.waiting_for();
    let status = if waiting.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": waiting.is_empty(), "waiting_for": waiting }))).into_response()
}

async fn scrape(State(metrics): State<Metrics>) -> Response {
    match metrics.render().await {
        Ok(text) => ([(CONTENT_TYPE, PROMETHEUS_TEXT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "cannot tell what was counted");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tokio_util::sync::CancellationToken;
    use tower::ServiceExt as _;

    async fn ask(router: &Router, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn probes_tell_what_is_waited_for() {
        let drain = CancellationToken::new();
        let readiness = Readiness::new(&["postgres"], drain.clone());
        let router = router(readiness.clone(), Metrics::detached());
        readiness.waiting("postgres", "connection refused");
        let (status, body) = ask(&router, "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(body, r#"{"ready":false,"waiting_for":{"postgres":"connection refused"}}"#);
        readiness.ready("postgres");
        assert_eq!(ask(&router, "/readyz").await, (StatusCode::OK, r#"{"ready":true,"waiting_for":{}}"#.to_owned()));
        drain.cancel();
        assert_eq!(ask(&router, "/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(ask(&router, "/livez").await.0, StatusCode::OK);
        assert_eq!(ask(&router, "/metrics").await.0, StatusCode::OK);
    }
}
