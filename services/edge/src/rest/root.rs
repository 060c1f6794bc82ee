//! `/api/chat/`: where the lists are.

use axum::Json;
use serde_json::{Value, json};

use super::auth::Caller;
use super::origin::Origin;

/// The lists there are.
pub(crate) async fn index(_: Caller, origin: Origin) -> Json<Value> {
    Json(json!({
        "conversations": origin.url("/api/chat/conversations/"),
        "messages": origin.url("/api/chat/messages/"),
    }))
}
