//! The routes of the edge: sockets and REST.

use axum::Router;
use axum::middleware::from_fn;
use tower_http::catch_panic::CatchPanicLayer;

use crate::access;
use crate::app::App;
use crate::request_span;
use crate::rest::routes;
use crate::upgrade;

/// All routes.
pub(crate) fn router(app: App) -> Router {
    let router = Router::new()
        .merge(routes::routes(&app))
        .merge(upgrade::routes())
        .layer(CatchPanicLayer::custom(routes::panicked))
        // Around all the others but the span, so that all lines of a request have its id.
        .layer(from_fn(access::identified));
    // Each layer takes a box per request.
    let router = if natter_trace::is_on() { router.layer(from_fn(request_span::within)) } else { router };
    router.with_state(app)
}
