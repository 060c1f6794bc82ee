//! What a participant can do in a conversation: checked, then appended to the log. Sockets and REST do it alike.

use std::sync::Arc;

use natter_host::calls::Calls;
use natter_log::port::{Log, LogError};
use natter_model::event::{Actor, Body, Event, Origin, Signal, SignalBody};
use natter_model::id::{AccountId, ConversationId, EventId, MessageId, Position};
use natter_model::text;
use natter_model::timestamp::Timestamp;
use natter_proto::v1;
use natter_proto::v1::messages_client::MessagesClient;
use tokio::time::Instant;

use crate::metrics;
use crate::metrics::outcome::Outcome;
use crate::persistence::{Persistence, Posted};
use crate::resend::Resends;

/// The deeds of participants. Whoever calls has made sure that the actor takes part. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Actions {
    log: Arc<dyn Log>,
    resends: Arc<Resends>,
    /// Shared, because each connection holds the deeds and a client takes some hundred bytes.
    messages: Arc<MessagesClient<Calls>>,
}

/// A message that somebody wants to do something to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target {
    /// Its id.
    pub id: MessageId,
    /// Where it was said.
    pub conversation: ConversationId,
    /// Who said it.
    pub sender: AccountId,
    /// Its sender took it back.
    pub is_deleted: bool,
}

/// A deed that is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Done {
    /// Where it stands.
    pub position: Position,
    /// When it was done, by the event that stands there.
    pub at: Timestamp,
    /// It had been done before, under the same client id.
    pub duplicate: bool,
}

/// Why a deed was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ActionError {
    /// Only its sender may do this to a message.
    #[error("the message is somebody else's")]
    NotYours,
    /// A deleted message cannot be edited.
    #[error("the message is deleted")]
    Deleted,
    /// A deleted message cannot be deleted.
    #[error("the message was deleted before")]
    AlreadyDeleted,
    /// Content holds U+0000, which not every store can keep.
    #[error("the content holds a null character")]
    NullCharacter,
    /// Content is longer than the log takes.
    #[error("the content is too large")]
    TooLarge,
    /// The log or persistence cannot do it now. It may have been done: the same client id makes trying again safe.
    #[error("unavailable: {0}")]
    Unavailable(String),
}

impl Target {
    /// The message that persistence told of. Fails if it makes no sense.
    pub(crate) fn of(message: &v1::Message) -> Result<Self, ActionError> {
        let ids = (
            MessageId::new(message.message_id),
            ConversationId::new(message.conversation_id),
            AccountId::new(message.sender_id),
        );
        let (Some(id), Some(conversation), Some(sender)) = ids else {
            return Err(ActionError::Unavailable("persistence told of a message with impossible ids".to_owned()));
        };
        Ok(Self { id, conversation, sender, is_deleted: message.is_deleted })
    }
}

impl Actions {
    /// Deeds that go to this log, on messages that persistence knows.
    pub(crate) fn new(log: Arc<dyn Log>, persistence: Arc<Persistence>, messages: MessagesClient<Calls>) -> Self {
        let resends = Arc::new(Resends::new(Arc::clone(&log), persistence));
        Self { log, resends, messages: Arc::new(messages) }
    }

    /// Says something. The message's id is the position. `content` is relayed as it is; the same `client_id` (1 to 64
    /// characters) of the same actor in the same conversation says it only once, however much later it comes again.
    pub(crate) async fn post(
        &self,
        actor: &Actor,
        conversation: ConversationId,
        content: String,
        attachment: Option<String>,
        client_id: Option<String>,
    ) -> Result<Done, ActionError> {
        #[cfg(feature = "failpoints")]
        let client_id = client_id.filter(|_| fail::eval("edge::forget_client_id", |_| ()).is_none());
        without_null(&content)?;
        let id = match &client_id {
            Some(client_id) => {
                let posted = self.resends.find(conversation, actor.id, client_id).await.map_err(refused)?;
                if let Some(Posted { position, at }) = posted {
                    return Ok(Done { position, at, duplicate: true });
                }
                EventId::of_client_id(conversation, actor.id, client_id)
            }
            None => EventId::fresh(),
        };
        self.append(id, actor, conversation, Body::Posted { message: None, content, attachment, client_id }).await
    }

    /// Changes what the actor's own message says. `content` is stripped.
    pub(crate) async fn edit(&self, actor: &Actor, target: Target, content: &str) -> Result<Done, ActionError> {
        if target.sender != actor.id {
            return Err(ActionError::NotYours);
        }
        if target.is_deleted {
            return Err(ActionError::Deleted);
        }
        without_null(content)?;
        let body = Body::Edited { message: target.id, content: text::strip(content).to_owned() };
        self.append(EventId::fresh(), actor, target.conversation, body).await
    }

    /// Takes the actor's own message back.
    pub(crate) async fn delete(&self, actor: &Actor, target: Target) -> Result<Done, ActionError> {
        if target.sender != actor.id {
            return Err(ActionError::NotYours);
        }
        if target.is_deleted {
            return Err(ActionError::AlreadyDeleted);
        }
        self.append(EventId::fresh(), actor, target.conversation, Body::Deleted { message: target.id }).await
    }

    /// Marks a message, of whomever and deleted or not, as read by the actor.
    pub(crate) async fn mark_read(&self, actor: &Actor, target: Target) -> Result<Done, ActionError> {
        self.append(EventId::fresh(), actor, target.conversation, Body::Read { message: target.id }).await
    }

    /// Ends the conversation for everybody: all that was said is erased, and its sockets are closed.
    pub(crate) async fn delete_conversation(
        &self,
        actor: &Actor,
        conversation: ConversationId,
    ) -> Result<Done, ActionError> {
        self.append(EventId::fresh(), actor, conversation, Body::ConversationDeleted).await
    }

    /// Tells those who are there now that the actor began or ceased to type. Never stored.
    pub(crate) async fn typing(
        &self,
        actor: &Actor,
        conversation: ConversationId,
        is_typing: bool,
    ) -> Result<(), ActionError> {
        let signal = Signal {
            conversation,
            actor: actor.clone(),
            origin: Origin::Natter,
            body: SignalBody::Typing { is_typing },
        };
        self.log.signal(&signal).await.map_err(refused)
    }

    /// The message with this id, as the log has it now. With a conversation: only if it was said there.
    pub(crate) async fn find(
        &self,
        conversation: Option<ConversationId>,
        message: MessageId,
    ) -> Result<Option<v1::Message>, ActionError> {
        let conversation_id = conversation.map(ConversationId::get);
        let request = v1::GetMessageRequest { message_id: message.get(), conversation_id };
        match MessagesClient::clone(&self.messages).get_message(request).await {
            Ok(reply) => Ok(reply.into_inner().message),
            Err(status) => {
                Err(ActionError::Unavailable(format!("persistence: {:?}: {}", status.code(), status.message())))
            }
        }
    }

    /// The message that stands here, as it is now; if persistence cannot tell, as it was posted.
    pub(crate) async fn said(
        &self,
        conversation: ConversationId,
        position: Position,
    ) -> Result<v1::Message, ActionError> {
        let unknown = || ActionError::Unavailable(format!("nobody can tell of the message {position}"));
        let id = MessageId::new(position.get()).ok_or_else(unknown)?;
        if let Ok(Some(message)) = self.find(Some(conversation), id).await {
            return Ok(message);
        }
        let entry = self.log.entry(position).await.map_err(refused)?.ok_or_else(unknown)?;
        let Body::Posted { content, attachment, .. } = entry.event.body else { return Err(unknown()) };
        Ok(v1::Message {
            message_id: position.get(),
            conversation_id: conversation.get(),
            sender_id: entry.event.actor.id.get(),
            sender_name: entry.event.actor.username,
            content: Some(text::strip(&content).to_owned()),
            attachment,
            timestamp_us: entry.event.at.as_micros(),
            ..v1::Message::default()
        })
    }

    async fn append(
        &self,
        id: EventId,
        actor: &Actor,
        conversation: ConversationId,
        body: Body,
    ) -> Result<Done, ActionError> {
        let at = Timestamp::now();
        let event = Event { id, conversation, actor: actor.clone(), at, origin: Origin::Natter, body };
        let begun = Instant::now();
        let appended = self.log.append(&event).await;
        let outcome = match &appended {
            Ok(_) => Outcome::Taken,
            Err(LogError::TooLarge) => Outcome::Refused,
            Err(_) => Outcome::Failed,
        };
        metrics::appended(outcome, begun.elapsed());
        let appended = appended.map_err(refused)?;
        if !appended.duplicate {
            return Ok(Done { position: appended.position, at, duplicate: false });
        }
        let first = self.log.entry(appended.position).await.map_err(refused)?;
        let at = first.map_or(at, |entry| entry.event.at);
        Ok(Done { position: appended.position, at, duplicate: true })
    }
}

fn without_null(content: &str) -> Result<(), ActionError> {
    if content.contains('\0') { Err(ActionError::NullCharacter) } else { Ok(()) }
}

fn refused(error: LogError) -> ActionError {
    match error {
        LogError::TooLarge => ActionError::TooLarge,
        other => ActionError::Unavailable(other.to_string()),
    }
}
