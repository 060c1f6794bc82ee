//! Saying something over REST, with or without a file.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use natter_model::text::strip;
use natter_proto::v1;
use natter_wire::client::MAX_CLIENT_ID_CHARS;

use super::answer::Refusal;
use super::auth::Caller;
use super::body::{self, Fields, invalid};
use super::field::{Field, FieldError};
use super::multipart::Wanted;
use super::objects::{Links, Message};
use super::path::conversation_id;
use crate::actions::ActionError;
use crate::app::App;

/// Posts a message: `content`, a file `attachment`, or both. With a `client_id` that came before, the message of then is
/// answered as it is now, with 200 instead of 201.
pub(crate) async fn send_message(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<(StatusCode, Json<Message>), Refusal> {
    let id = conversation_id(&id)?;
    app.gate.admit(actor.id, id).await?;
    let (fields, upload) =
        body::read_with_file(request, Wanted { name: "attachment", media: app.media.as_ref() }).await?;
    let content = content(&fields)?;
    let client_id = client_id(&fields)?;
    if content.is_empty() && upload.is_none() {
        return Err(Refusal::error(StatusCode::BAD_REQUEST, "Either content or attachment must be provided"));
    }
    // The file lasts before the message that names it does, so that no message ever names a file that is not there.
    let attachment = match (upload, &app.media) {
        (Some(upload), Some(media)) => Some(upload.keep(media).await?),
        _ => None,
    };
    let has_name = client_id.is_some();
    let posted = app.actions.post(&actor, id, content.clone(), attachment.clone(), client_id).await;
    if posted.as_ref().is_err_and(|error| !matches!(error, ActionError::Unavailable(_))) {
        forget_attachment(&app, attachment.as_deref()).await;
    }
    let done = posted?;
    // Not every duplicate came before: the log may have been asked twice because its first answer got lost.
    if done.duplicate && has_name {
        let message = app.actions.said(id, done.position).await?;
        if message.attachment != attachment {
            forget_attachment(&app, attachment.as_deref()).await;
        }
        return Ok((StatusCode::OK, Json(Message::new(message, Links::Paths))));
    }
    let message = v1::Message {
        message_id: done.position.get(),
        conversation_id: id.get(),
        sender_id: actor.id.get(),
        sender_name: actor.username,
        content: Some(content),
        attachment,
        timestamp_us: done.at.as_micros(),
        ..v1::Message::default()
    };
    Ok((StatusCode::CREATED, Json(Message::new(message, Links::Paths))))
}

/// What is said, stripped; empty if nothing is.
fn content(fields: &Fields) -> Result<String, Refusal> {
    match fields.get("content").map(Field::string) {
        None | Some(Err(FieldError::Null)) => Ok(String::new()),
        Some(Ok(content)) => Ok(strip(&content).to_owned()),
        Some(Err(error)) => Err(invalid([("content", Some(error))])),
    }
}

/// The sender's own name for the message, if it gives one. Compared as it is.
fn client_id(fields: &Fields) -> Result<Option<String>, Refusal> {
    let refused = |error| invalid([("client_id", Some(error))]);
    match fields.get("client_id").map(Field::string) {
        None | Some(Err(FieldError::Null)) => Ok(None),
        Some(Ok(id)) if id.is_empty() => Err(refused(FieldError::Blank)),
        Some(Ok(id)) if id.chars().count() > MAX_CLIENT_ID_CHARS => {
            Err(refused(FieldError::TooLong(MAX_CLIENT_ID_CHARS)))
        }
        Some(Ok(id)) => Ok(Some(id)),
        Some(Err(error)) => Err(refused(error)),
    }
}

/// Removes the file of a message that surely does not exist, or has another one.
async fn forget_attachment(app: &App, attachment: Option<&str>) {
    let (Some(path), Some(media)) = (attachment, &app.media) else { return };
    if let Err(error) = media.remove(path).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "the file of a refused message stays behind");
    }
}
