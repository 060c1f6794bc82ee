//! The messages in the caller's conversations.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, Uri};
use natter_model::event::Actor;
use natter_model::text::strip;
use natter_proto::v1;
use natter_proto::v1::list_messages_request::Order;
use serde_json::{Value, json};

use super::answer::Refusal;
use super::auth::Caller;
use super::body::{self, invalid};
use super::conversations;
use super::field::{Field, FieldError};
use super::history::MessagePages;
use super::objects::{Links, Message};
use super::origin::Origin;
use super::pagination::Page;
use super::path::message_id;
use crate::actions::{ActionError, Target};
use crate::app::App;
use crate::gate::GateError;

/// All of them, by time.
pub(crate) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    origin: Origin,
    uri: Uri,
) -> Result<Json<Page<Vec<Message>>>, Refusal> {
    let conversations = conversations::of(&app, &actor, String::new()).await?;
    let conversation_ids = conversations.iter().map(|conversation| conversation.conversation_id).collect();
    let (order, links) = (Order::OldestFirst, Links::Absolute(&origin));
    let pages = MessagePages { conversation_ids, order, include_deleted: true, links };
    pages.get(&app, &origin, &uri).await.map(Json)
}

/// One of them.
pub(crate) async fn detail(
    State(app): State<App>,
    Caller(actor): Caller,
    origin: Origin,
    Path(id): Path<String>,
) -> Result<Json<Message>, Refusal> {
    let (message, _) = find(&app, &actor, &id).await?;
    Ok(Json(Message::new(message, Links::Absolute(&origin))))
}

/// Marks it as read, whoever sent it.
pub(crate) async fn mark_read(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let (_, target) = find(&app, &actor, &id).await?;
    app.actions.mark_read(&actor, target).await?;
    Ok(Json(json!({ "status": "message marked as read" })))
}

/// Changes what the caller's own message says.
pub(crate) async fn edit(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<Value>, Refusal> {
    let (_, target) = find(&app, &actor, &id).await?;
    // Before the body is looked at, as in the original.
    if target.sender != actor.id {
        return Err(Refusal::error(StatusCode::FORBIDDEN, "You can only edit your own messages"));
    }
    if target.is_deleted {
        return Err(ActionError::Deleted.into());
    }
    let content = match body::read(request).await?.get("content").map(Field::string) {
        Some(Ok(content)) if !strip(&content).is_empty() => content,
        Some(Err(error @ (FieldError::NullCharacter | FieldError::Surrogate(_)))) => {
            return Err(invalid([("content", Some(error))]));
        }
        _ => return Err(Refusal::error(StatusCode::BAD_REQUEST, "Content is required and cannot be empty")),
    };
    let done = app.actions.edit(&actor, target, &content).await?;
    Ok(Json(json!({ "status": "message edited successfully", "edited_at": done.at.to_rest() })))
}

/// Takes the caller's own message back.
pub(crate) async fn soft_delete(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let (_, target) = find(&app, &actor, &id).await?;
    match app.actions.delete(&actor, target).await {
        Ok(_) => Ok(Json(json!({ "status": "message deleted successfully" }))),
        Err(ActionError::NotYours) => {
            Err(Refusal::error(StatusCode::FORBIDDEN, "You can only delete your own messages"))
        }
        Err(error) => Err(error.into()),
    }
}

/// The message that the path names, if it was said where the actor takes part.
pub(super) async fn find(app: &App, actor: &Actor, segment: &str) -> Result<(v1::Message, Target), Refusal> {
    let id = message_id(segment)?;
    let message = app.actions.find(None, id).await?.ok_or_else(Refusal::no_message)?;
    let target = Target::of(&message)?;
    match app.gate.admit(actor.id, target.conversation).await {
        Ok(_) => Ok((message, target)),
        // Somebody else's message looks like none at all.
        Err(GateError::NoSuchConversation | GateError::NotAParticipant) => Err(Refusal::no_message()),
        Err(error) => Err(error.into()),
    }
}
