//! The caller's conversations, and what is said in them.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, Uri};
use natter_model::event::Actor;
use natter_model::id::AccountId;
use natter_proto::v1;
use natter_proto::v1::list_messages_request::Order;
use serde_json::{Value, json};

use super::answer::Refusal;
use super::auth::{self, Caller};
use super::body;
use super::field::Field;
use super::history::MessagePages;
use super::objects::{Conversation, Links, Message, Started};
use super::origin::Origin;
use super::pagination::{self, Page};
use super::path::conversation_id;
use super::services::{ask, look_up, messages_client};
use crate::app::App;
use crate::config::dialect::Dialect;

/// Messages that a conversation shows of itself, at most.
const LATEST_MESSAGES: u32 = 50;

/// Conversations summarized at once, so that no single reply grows without bound.
const SUMMARIES_AT_ONCE: usize = 20;

/// All of them; with `search`, those with somebody else whose username contains it.
pub(crate) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    origin: Origin,
    uri: Uri,
) -> Result<Json<Vec<Conversation>>, Refusal> {
    let search = pagination::last(uri.query().unwrap_or_default(), "search").unwrap_or_default();
    let conversations = of(&app, &actor, search).await?;
    let mut shown = Vec::with_capacity(conversations.len());
    for some in conversations.chunks(SUMMARIES_AT_ONCE) {
        let mut summaries = summaries(&app, &actor, some, LATEST_MESSAGES).await?;
        shown.extend(some.iter().map(|conversation| {
            let summary = summaries.remove(&conversation.conversation_id).unwrap_or_default();
            Conversation::new(conversation, summary, actor.id.get(), Links::Absolute(&origin))
        }));
    }
    Ok(Json(shown))
}

/// One of them.
pub(crate) async fn detail(
    State(app): State<App>,
    Caller(actor): Caller,
    origin: Origin,
    Path(id): Path<String>,
) -> Result<Json<Conversation>, Refusal> {
    let conversation = find(&app, &actor, &id).await?;
    let summary = summary(&app, &actor, &conversation, LATEST_MESSAGES).await?;
    Ok(Json(Conversation::new(&conversation, summary, actor.id.get(), Links::Absolute(&origin))))
}

/// Ends it for all who take part.
pub(crate) async fn delete(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    find(&app, &actor, &id).await?;
    let id = conversation_id(&id)?;
    // What was said goes first: if authz is away then, the caller still finds the conversation, and can try again.
    app.actions.delete_conversation(&actor, id).await?;
    let request = v1::DeleteConversationRequest { account_id: actor.id.get(), conversation_id: id.get() };
    look_up(app.gate.authz().delete_conversation(request)).await?;
    app.gate.forget_conversation(id).await;
    Ok(StatusCode::NO_CONTENT)
}

/// The conversation with `user2`, made if there is none.
pub(crate) async fn start(
    State(app): State<App>,
    Caller(actor): Caller,
    request: Request,
) -> Result<(StatusCode, Json<Started>), Refusal> {
    let refused = |text: &str| Refusal::error(StatusCode::BAD_REQUEST, text);
    let fields = body::read(request).await?;
    let other = match fields.get("user2").map(Field::integer) {
        None | Some(Ok(None)) => {
            return Err(refused(match app.dialect {
                Dialect::Seed => "user2 field is required",
                Dialect::Later => "user2 is required",
            }));
        }
        Some(Err(_)) => return Err(refused("user2 must be a valid user ID")),
        Some(Ok(Some(other))) => other,
    };
    let nobody = || Refusal::error(StatusCode::NOT_FOUND, format!("User with ID {other} does not exist"));
    let other_account = other.to_u64().and_then(AccountId::new).ok_or_else(nobody)?;
    if other_account == actor.id {
        return Err(refused("Cannot start a conversation with yourself"));
    }
    let request = v1::StartConversationRequest { account_id: actor.id.get(), other_account_id: other_account.get() };
    let reply = look_up(app.gate.authz().start_conversation(request)).await?.ok_or_else(auth::user_not_found)?;
    let conversation = reply.conversation.ok_or_else(nobody)?;
    let status = if reply.created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(conversation.into())))
}

/// What is said in it, without what was deleted, oldest first.
pub(crate) async fn messages(
    State(app): State<App>,
    Caller(actor): Caller,
    origin: Origin,
    uri: Uri,
    Path(id): Path<String>,
) -> Result<Json<Page<Vec<Message>>>, Refusal> {
    let id = conversation_id(&id)?;
    app.gate.admit(actor.id, id).await?;
    let (conversation_ids, order) = (vec![id.get()], Order::OldestFirst);
    let pages = MessagePages { conversation_ids, order, include_deleted: false, links: Links::Paths };
    pages.get(&app, &origin, &uri).await.map(Json)
}

/// How many messages of others the caller has not read.
pub(crate) async fn unread_count(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let conversation = find(&app, &actor, &id).await?;
    let summary = summary(&app, &actor, &conversation, 0).await?;
    Ok(Json(json!({ "unread_count": summary.unread_count })))
}

/// All conversations of the actor; with a search, those that match it.
pub(crate) async fn of(app: &App, actor: &Actor, search: String) -> Result<Vec<v1::Conversation>, Refusal> {
    // Nobody's name holds a null character, and not every store could even be asked.
    if search.contains('\0') {
        return Ok(Vec::new());
    }
    let request = v1::ListConversationsRequest { account_id: actor.id.get(), search };
    Ok(ask(app.gate.authz().list_conversations(request)).await?.conversations)
}

/// The conversation that the path names, if the actor takes part. Asks authz afresh.
pub(super) async fn find(app: &App, actor: &Actor, segment: &str) -> Result<v1::Conversation, Refusal> {
    let conversation_id = conversation_id(segment)?.get();
    let request = v1::GetConversationRequest { account_id: actor.id.get(), conversation_id };
    look_up(app.gate.authz().get_conversation(request)).await?.ok_or_else(Refusal::no_conversation)
}

/// What has been said in one conversation, at a glance.
pub(super) async fn summary(
    app: &App,
    actor: &Actor,
    conversation: &v1::Conversation,
    latest: u32,
) -> Result<v1::ConversationSummary, Refusal> {
    let mut summaries = summaries(app, actor, std::slice::from_ref(conversation), latest).await?;
    Ok(summaries.remove(&conversation.conversation_id).unwrap_or_default())
}

/// By conversation.
pub(super) async fn summaries(
    app: &App,
    actor: &Actor,
    conversations: &[v1::Conversation],
    latest: u32,
) -> Result<HashMap<u64, v1::ConversationSummary>, Refusal> {
    let conversation_ids = conversations.iter().map(|conversation| conversation.conversation_id).collect();
    let request = v1::SummarizeConversationsRequest { account_id: actor.id.get(), conversation_ids, latest };
    let reply = ask(messages_client(app).summarize_conversations(request)).await?;
    Ok(reply.summaries.into_iter().map(|summary| (summary.conversation_id, summary)).collect())
}
