//! Conversations as their list shows them, and what is said in them, newest first.

use std::cmp::Reverse;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::Uri;
use natter_model::event::Actor;
use natter_model::id::AccountId;
use natter_proto::v1;
use natter_proto::v1::list_messages_request::Order;
use serde::Serialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::rest::answer::Refusal;
use crate::rest::auth::Caller;
use crate::rest::conversations::{find, of, summaries, summary};
use crate::rest::history::MessagePages;
use crate::rest::messages;
use crate::rest::objects::{Links, Message};
use crate::rest::origin::Origin;
use crate::rest::pagination::{self, Page, PageRequest};
use crate::rest::path::conversation_id;

/// Conversations on a page, unless the client says otherwise.
const USUAL_SIZE: u32 = 10;
/// Conversations summarized at once. Of each only one message is asked for.
const SUMMARIES_AT_ONCE: usize = 500;

/// A conversation, as one of its participants sees it.
#[derive(Debug, Serialize)]
pub(crate) struct Conversation {
    id: u64,
    other_participant_id: Option<u64>,
    other_participant_name: Option<String>,
    /// There are no pictures here.
    other_participant_profile_picture: Option<String>,
    other_participant_role: Option<String>,
    last_message: Option<Message>,
    last_message_timestamp: Option<String>,
    unread_count: u64,
}

/// What is said, and who asks.
#[derive(Debug, Serialize)]
pub(crate) struct History {
    data: Vec<Message>,
    owner: u64,
}

/// Those in which anything was said, the latest first; with `search`, those with somebody else whose username contains it.
pub(crate) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    origin: Origin,
    uri: Uri,
) -> Result<Json<Page<Vec<Conversation>>>, Refusal> {
    let page = PageRequest::parse_with(&uri, USUAL_SIZE)?;
    let search = pagination::last(uri.query().unwrap_or_default(), "search").unwrap_or_default();
    let conversations = of(&app, &actor, search).await?;
    let mut spoken = Vec::new();
    for some in conversations.chunks(SUMMARIES_AT_ONCE) {
        let mut summaries = summaries(&app, &actor, some, 1).await?;
        spoken.extend(some.iter().filter_map(|conversation| {
            let summary = summaries.remove(&conversation.conversation_id)?;
            let last = summary.latest.last().map(|message| (message.timestamp_us, message.message_id))?;
            Some((last, conversation, summary))
        }));
    }
    spoken.sort_by_key(|(last, ..)| Reverse(*last));

    let size = usize::try_from(page.size).unwrap_or(usize::MAX);
    let pages = spoken.len().div_ceil(size).max(1) as u64;
    let number = match page.number {
        0 => pages,
        beyond if beyond > pages => 0,
        number => number,
    };
    let count = spoken.len() as u64;
    let before = usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX).saturating_mul(size);
    let mut shown = Vec::new();
    for (_, conversation, summary) in spoken.into_iter().skip(before).take(size) {
        shown.push(show(&app, &actor, conversation, summary, Links::Absolute(&origin)).await?);
    }
    Page::new(shown, count, number, pages, &origin, &uri).map(Json)
}

/// One of them, also if nothing was said in it.
pub(crate) async fn detail(
    State(app): State<App>,
    Caller(actor): Caller,
    origin: Origin,
    Path(id): Path<String>,
) -> Result<Json<Conversation>, Refusal> {
    let conversation = find(&app, &actor, &id).await?;
    let summary = summary(&app, &actor, &conversation, 1).await?;
    show(&app, &actor, &conversation, summary, Links::Absolute(&origin)).await.map(Json)
}

/// What is said in it, deleted messages included, newest first.
pub(crate) async fn history(
    State(app): State<App>,
    Caller(actor): Caller,
    origin: Origin,
    uri: Uri,
    Path(id): Path<String>,
) -> Result<Json<Page<History>>, Refusal> {
    let id = conversation_id(&id)?;
    app.gate.admit(actor.id, id).await?;
    let (conversation_ids, order) = (vec![id.get()], Order::NewestFirst);
    let pages = MessagePages { conversation_ids, order, include_deleted: true, links: Links::Paths };
    let page = pages.get(&app, &origin, &uri).await?;
    Ok(Json(page.map(|data| History { data, owner: actor.id.get() })))
}

/// How many messages of others the caller has not read in the conversation of this message.
pub(crate) async fn unread_count(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let (message, _) = messages::find(&app, &actor, &id).await?;
    let conversation = v1::Conversation { conversation_id: message.conversation_id, ..v1::Conversation::default() };
    let summary = summary(&app, &actor, &conversation, 0).await?;
    Ok(Json(json!({ "unread_count": summary.unread_count })))
}

async fn show(
    app: &App,
    actor: &Actor,
    conversation: &v1::Conversation,
    summary: v1::ConversationSummary,
    links: Links<'_>,
) -> Result<Conversation, Refusal> {
    let other = conversation.participants.iter().find(|one| one.account_id != actor.id.get());
    let account = match other.and_then(|other| AccountId::new(other.account_id)) {
        Some(id) => app.gate.account(id).await?,
        None => None,
    };
    let last_message = summary.latest.into_iter().last().map(|message| Message::new(message, links));
    Ok(Conversation {
        id: conversation.conversation_id,
        other_participant_id: other.map(|other| other.account_id),
        other_participant_name: other.map(|other| other.username.clone()),
        other_participant_profile_picture: None,
        other_participant_role: account.and_then(|account| account.profile_types.first().cloned()),
        last_message_timestamp: last_message.as_ref().map(|message| message.timestamp().to_owned()),
        last_message,
        unread_count: summary.unread_count,
    })
}
