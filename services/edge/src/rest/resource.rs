//! One path: the methods it has, what it says of itself, and the slash at its end.

use axum::Json;
use axum::Router;
use axum::http::header::{ALLOW, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::middleware::map_response;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, any};
use serde_json::{Value, json};

use super::answer::Refusal;
use super::auth::Caller;
use crate::app::App;

/// A path that anybody may ask.
pub(crate) fn open(name: &'static str, allow: &'static str, methods: MethodRouter<App>) -> MethodRouter<App> {
    let methods = methods
        .options(move || async move { description(name) })
        .fallback(|method: Method| async move { not_allowed(&method) });
    allowing(allow, methods)
}

/// A path for those with an account: without one it does not even tell which methods it has.
pub(crate) fn guarded(name: &'static str, allow: &'static str, methods: MethodRouter<App>) -> MethodRouter<App> {
    let methods = methods
        .options(move |_: Caller| async move { description(name) })
        .fallback(|_: Caller, method: Method| async move { not_allowed(&method) });
    allowing(allow, methods)
}

/// The path with a slash at its end; without, a redirect there.
pub(crate) fn slashed(path: &str, methods: MethodRouter<App>) -> Router<App> {
    Router::new().route(&format!("{path}/"), methods).route(path, any(add_slash))
}

/// The path with and without a slash at its end.
pub(crate) fn slash_optional(path: &str, methods: MethodRouter<App>) -> Router<App> {
    Router::new().route(&format!("{path}/"), methods.clone()).route(path, methods)
}

/// Every answer names the methods, in the framework's order.
fn allowing(allow: &'static str, methods: MethodRouter<App>) -> MethodRouter<App> {
    methods.layer(map_response(move |mut response: Response| async move {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
        response
    }))
}

fn not_allowed(method: &Method) -> Refusal {
    Refusal::detail(StatusCode::METHOD_NOT_ALLOWED, format!("Method \"{method}\" not allowed."))
}

fn description(name: &'static str) -> Json<Value> {
    Json(json!({
        "name": name,
        "description": "",
        "renders": ["application/json"],
        "parses": ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"],
    }))
}

async fn add_slash(uri: Uri) -> Response {
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let location = format!("{}/{query}", uri.path());
    let headers = [(LOCATION, location.as_str()), (CONTENT_TYPE, "text/html; charset=utf-8")];
    (StatusCode::MOVED_PERMANENTLY, headers).into_response()
}
