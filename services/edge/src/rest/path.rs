//! The ids in paths.

use natter_model::id::{ConversationId, MessageId};
use natter_wire::python;
use serde_json::Value;

use super::answer::Refusal;

/// The conversation that a path names.
pub(crate) fn conversation_id(segment: &str) -> Result<ConversationId, Refusal> {
    number(segment)?.and_then(ConversationId::new).ok_or_else(Refusal::no_conversation)
}

/// The message that a path names.
pub(crate) fn message_id(segment: &str) -> Result<MessageId, Refusal> {
    number(segment)?.and_then(MessageId::new).ok_or_else(Refusal::no_message)
}

/// `None`: an integer that is no id of anything.
fn number(segment: &str) -> Result<Option<u64>, Refusal> {
    let number = python::int(&Value::String(segment.to_owned())).map_err(|_| Refusal::not_found())?;
    Ok(number.to_u64())
}
