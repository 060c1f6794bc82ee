//! Attachments over HTTP: `/media/chat_attachments/<name>`.

use axum::Router;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::map_response;
use axum::response::Response;
use tower_http::services::ServeDir;

use super::answer;
use super::media::{FOLDER, Media};
use crate::app::App;

/// What a browser may show by itself: pictures that cannot hold scripts. All else it saves.
const SHOWN: [&str; 5] = ["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"];

/// The route to the files; none if there are no files.
pub(crate) fn routes(media: Option<&Media>) -> Router<App> {
    let Some(media) = media else { return Router::new() };
    let folder = ServeDir::new(media.folder()).append_index_html_on_directories(false);
    Router::new().nest_service(&format!("/media/{FOLDER}"), folder).layer(map_response(harmless))
}

/// Anybody may have uploaded anything: a browser must neither guess its type nor run it as a page of this site.
async fn harmless(mut response: Response) -> Response {
    if response.status() == StatusCode::NOT_FOUND {
        return answer::nowhere().await;
    }
    let headers = response.headers_mut();
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !SHOWN.contains(&kind) {
        headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    response
}
