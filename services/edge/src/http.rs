//! The routes of the edge: sockets and REST.

use axum::Router;
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::App;
use crate::rest::routes;
use crate::upgrade;

/// All routes.
pub(crate) fn router(app: App) -> Router {
    Router::new()
        .merge(routes::routes(&app))
        .merge(upgrade::routes())
        .layer(CatchPanicLayer::custom(routes::panicked))
        .with_state(app)
}
