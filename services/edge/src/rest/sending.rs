//! Saying something over REST, with or without a file.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use natter_model::text::strip;
use natter_proto::v1;

use super::answer::Refusal;
use super::auth::Caller;
use super::body::{self, Fields, invalid};
use super::field::{Field, FieldError};
use super::multipart::Wanted;
use super::objects::{Links, Message};
use super::path::conversation_id;
use crate::actions::ActionError;
use crate::app::App;

/// Posts a message: `content`, a file `attachment`, or both.
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
    if content.is_empty() && upload.is_none() {
        return Err(Refusal::error(StatusCode::BAD_REQUEST, "Either content or attachment must be provided"));
    }
    // The file lasts before the message that names it does, so that no message ever names a file that is not there.
    let attachment = match (upload, &app.media) {
        (Some(upload), Some(media)) => Some(upload.keep(media).await?),
        _ => None,
    };
    let posted = app.actions.post(&actor, id, content.clone(), attachment.clone(), None).await;
    if let Err(error) = &posted {
        forget_attachment(&app, attachment.as_deref(), error).await;
    }
    let done = posted?;
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

/// Removes the file of a message that surely does not exist. If the log may have taken it, the file stays.
async fn forget_attachment(app: &App, attachment: Option<&str>, error: &ActionError) {
    let (Some(path), Some(media)) = (attachment, &app.media) else { return };
    if matches!(error, ActionError::Unavailable(_)) {
        return;
    }
    if let Err(error) = media.remove(path).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "the file of a refused message stays behind");
    }
}
