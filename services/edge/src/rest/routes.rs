//! Which path leads where.

use std::any::Any;

use axum::Router;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, delete, get, patch, post};

use super::answer::{self, Refusal};
use super::resource::{guarded, open, slash_optional, slashed};
use super::{accounts, conversations, files, later, messages, root, sending};
use crate::app::App;
use crate::config::dialect::Dialect;

/// All of REST, and the page for paths that lead nowhere.
pub(crate) fn routes(app: &App) -> Router<App> {
    let by_dialect = match app.dialect {
        Dialect::Seed => seed(),
        Dialect::Later => later(),
    };
    Router::new()
        .merge(auth())
        .merge(chat())
        .merge(by_dialect)
        .merge(files::routes(app.media.as_ref()))
        .fallback(answer::nowhere)
}

/// What a client is told when the code that answers it panics.
pub(crate) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let message = match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => panic.downcast_ref::<&str>().map_or_else(|| "unknown".to_owned(), |&message| message.to_owned()),
    };
    tracing::error!(panic = message, "a request handler panicked");
    Refusal::internal().into_response()
}

fn auth() -> Router<App> {
    let post_only = "POST, OPTIONS";
    let refresh = open("Refresh", post_only, post(accounts::refresh));
    Router::new()
        .merge(slash_optional("/api/auth/login", open("Login", post_only, post(accounts::log_in))))
        .merge(slash_optional("/api/auth/refresh", refresh.clone()))
        .merge(slash_optional("/api/auth/refresh-token", refresh))
        .merge(slash_optional("/api/auth/verify", open("Token Verify", post_only, post(accounts::verify))))
        .merge(slash_optional("/api/auth/logout", guarded("Logout", post_only, post(accounts::log_out))))
        .merge(slash_optional(
            "/api/auth/logout-all",
            guarded("Logout All", post_only, post(accounts::log_out_everywhere)),
        ))
}

/// Where the dialects differ: what is listed, and how.
fn listings(list: MethodRouter<App>, detail: MethodRouter<App>, messages: MethodRouter<App>) -> Router<App> {
    let read_only = "GET, HEAD, OPTIONS";
    let one = detail.delete(conversations::delete);
    Router::new()
        .merge(slashed("/api/chat/conversations", guarded("Conversation List", read_only, list)))
        .merge(slashed(
            "/api/chat/conversations/{id}",
            guarded("Conversation Instance", "GET, DELETE, HEAD, OPTIONS", one),
        ))
        .merge(slashed("/api/chat/conversations/{id}/messages", guarded("Messages", read_only, messages)))
}

fn seed() -> Router<App> {
    listings(get(conversations::list), get(conversations::detail), get(conversations::messages))
}

fn later() -> Router<App> {
    let post_only = "POST, OPTIONS";
    listings(get(later::conversations::list), get(later::conversations::detail), get(later::conversations::history))
        .merge(slashed(
            "/api/chat/messages/{id}/get_unread_messages_count",
            guarded("Get Unread Messages Count", "GET, HEAD, OPTIONS", get(later::conversations::unread_count)),
        ))
        .merge(slash_optional(
            "/api/auth/switch-profile",
            guarded("Switch Profile", post_only, post(later::profiles::switch_profile)),
        ))
        .merge(slash_optional(
            "/api/auth/renew-refresh",
            open("Renew Refresh", post_only, post(later::profiles::renew_refresh)),
        ))
}

fn chat() -> Router<App> {
    let (read_only, post_only) = ("GET, HEAD, OPTIONS", "POST, OPTIONS");
    Router::new()
        .merge(slashed("/api/chat", guarded("Api Root", read_only, get(root::index))))
        .merge(slashed("/api/chat/conversations/start", guarded("Start", post_only, post(conversations::start))))
        .merge(slashed(
            "/api/chat/conversations/{id}/unread_count",
            guarded("Unread Count", read_only, get(conversations::unread_count)),
        ))
        .merge(slashed(
            "/api/chat/conversations/{id}/send_message",
            guarded("Send Message", post_only, post(sending::send_message)),
        ))
        .merge(slashed("/api/chat/messages", guarded("Message List", read_only, get(messages::list))))
        .merge(slashed("/api/chat/messages/{id}", guarded("Message Instance", read_only, get(messages::detail))))
        .merge(slashed("/api/chat/messages/{id}/mark_read", guarded("Mark Read", post_only, post(messages::mark_read))))
        .merge(slashed("/api/chat/messages/{id}/edit", guarded("Edit", "PATCH, OPTIONS", patch(messages::edit))))
        .merge(slashed(
            "/api/chat/messages/{id}/soft_delete",
            guarded("Soft Delete", "DELETE, OPTIONS", delete(messages::soft_delete)),
        ))
}
