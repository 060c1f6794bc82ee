//! The WebSocket handshake: who comes in. It is always accepted first, so that browsers see the close code.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{AUTHORIZATION, RETRY_AFTER, SEC_WEBSOCKET_PROTOCOL};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use natter_host::request_id;
use natter_model::id::{AccountId, ConversationId};
use natter_wire::client::Echo;
use natter_wire::close::CloseCode;
use natter_wire::problem::{Deed, Problem};
use natter_wire::{query, server};
use tokio::time;
use tracing::{debug, warn};

use crate::app::App;
use crate::connection::{self, Connection};
use crate::cursor::Cursor;
use crate::frame::Outgoing;
use crate::gate::{Admission, GateError};
use crate::goodbye::Goodbye;
use crate::lobby::Seat;
use crate::metrics;
use crate::metrics::outcome::Connect;
use crate::pass::Pass;
use crate::rest::answer;
use crate::retry;
use crate::session::Session;

/// The read buffer of a socket, in bytes: all that an idle connection keeps. Longer frames get more while they last.
const READ_BUFFER: usize = 512;
/// Bytes that gather before they are written, when there is more to write. Grows only as it is needed.
const WRITE_BUFFER: usize = 16 * 1024;
/// Messages up to this size are refused by an error frame, larger ones end the connection.
const MAX_MESSAGE_BYTES: usize = 1 << 20;

/// The subprotocol that says that the next one is an access token.
const TOKEN_PROTOCOL: &str = "natter.token";

/// Longest wait until it is known whether somebody comes in, whatever does not answer.
const ENTERING: Duration = Duration::from_secs(15);

/// `/ws/chat/<digits>`, with and without a slash at the end.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/ws/chat/{conversation}", get(upgrade)).route("/ws/chat/{conversation}/", get(upgrade))
}

async fn upgrade(
    State(app): State<App>,
    Path(conversation): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    if conversation.is_empty() || !conversation.bytes().all(|digit| digit.is_ascii_digit()) {
        return answer::nowhere().await;
    }
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return rejection.into_response(),
    };
    let Some(place) = app.sockets.enter() else {
        metrics::refused(metrics::FULL);
        let wait = HeaderValue::from(retry::whole_seconds(retry::when_full()));
        return (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, wait)]).into_response();
    };
    let entered = if place.is_over_limit() {
        Err(Goodbye::Full)
    } else {
        let query = query.unwrap_or_default();
        let entering = enter(&app, &conversation, &query, &headers);
        time::timeout(ENTERING, entering).await.unwrap_or(Err(Goodbye::Unavailable))
    };
    metrics::connect(match &entered {
        Ok(_) => Connect::Opened,
        Err(goodbye) if goodbye.is_final() => Connect::Refused,
        Err(_) => Connect::Failed,
    });
    if let Err(goodbye) = &entered {
        debug!(conversation, code = goodbye.code().map(CloseCode::number), reason = %goodbye, "connection refused");
    }
    let id = request_id::current();
    upgrade
        // Only this one of what the client offers: never the token itself.
        .protocols([TOKEN_PROTOCOL])
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_message_size(MAX_MESSAGE_BYTES)
        .max_frame_size(MAX_MESSAGE_BYTES)
        .on_failed_upgrade(|error| debug!(%error, "a handshake was not finished"))
        .on_upgrade(async move |socket| {
            // A task of its own, because this one keeps what the handshake needed until it ends, and is at the door. Its place
            // counts it.
            match entered {
                Ok(Entered { admission, session, cursor, greeting }) => {
                    let spawner = place.spawner();
                    let connection = Connection { socket, admission, session, cursor, greeting, place };
                    spawner.spawn(request_id::within(id, connection.run()));
                }
                Err(goodbye) => {
                    tokio::spawn(request_id::within(id, connection::refuse(socket, goodbye, place)));
                }
            }
        })
}

/// Whoever is let in, with all they need.
struct Entered {
    admission: Admission,
    session: Session,
    cursor: Cursor,
    greeting: Option<Outgoing>,
}

/// The checks, in the order in which the first that fails gives the code. The seat is taken before the handshake is
/// answered: what happens from then on is not missed.
async fn enter(app: &App, digits: &str, query: &str, headers: &HeaderMap) -> Result<Entered, Goodbye> {
    let token = query::token(query).or_else(|| bearer(headers)).or_else(|| subprotocol(headers));
    let (account, token) = app.auth.check(&token.ok_or(Goodbye::NoToken)?).await?;
    let Some(conversation) = digits.parse().ok().and_then(ConversationId::new) else {
        return Err(nowhere(app, account).await);
    };
    // Before authz is asked: what ends from then on is either in its answer or told afterwards.
    let known = app.auth.rights.last_change();
    let admission = app.gate.admit_with(account, conversation, &token).await.map_err(refused)?;
    let seat = app.lobby.join(conversation).await.inspect_err(|error| warn!(%conversation, %error, "no seat"))?;
    let opened_at = seat.window.borrow().opened_at();
    let pass = Arc::new(Pass::new(Arc::clone(&app.auth), account, conversation, known, token.clone()));
    let actor = Arc::clone(&admission.actor);
    let allowance = app.limits.allowance(account);
    let session = Session::new(actor, conversation, app.actions.clone(), seat.window.clone(), allowance, pass);
    let (cursor, greeting) = place_cursor(seat, account, query).await?;
    // Last, because neither of the two sees a removal that stands before it.
    let admission = app.gate.confirm(admission, conversation, &token, opened_at).await.map_err(refused)?;
    debug!(%conversation, %account, "connection opened");
    Ok(Entered { admission, session, cursor, greeting })
}

async fn place_cursor(seat: Seat, reader: AccountId, query: &str) -> Result<(Cursor, Option<Outgoing>), Goodbye> {
    let Some(since) = query::since(query) else { return Ok((Cursor::live(seat, reader), None)) };
    if let Ok(since) = since
        && seat.has_reached(since).await.map_err(|error| {
            warn!(%error, "cannot tell where the conversation stands");
            Goodbye::Unavailable
        })?
    {
        return Ok((Cursor::resuming(seat, reader, since), None));
    }
    let head = seat.window.borrow().head();
    let greeting = server::error(Deed::Message, &Problem::PositionUnknown, &Echo::default());
    Ok((Cursor::resuming(seat, reader, head), Some(greeting.into())))
}

/// No conversation has such an id; but whoever asks may not even be somebody.
async fn nowhere(app: &App, account: AccountId) -> Goodbye {
    match app.gate.account(account).await {
        Ok(Some(account)) if account.is_active => Goodbye::NoSuchConversation,
        Ok(Some(_)) => Goodbye::InactiveAccount,
        Ok(None) => Goodbye::NoSuchAccount,
        Err(error) => refused(error),
    }
}

fn refused(error: GateError) -> Goodbye {
    if let GateError::Unavailable(_) = error {
        warn!(%error, "nobody is let in");
    }
    error.into()
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let token = headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?.trim();
    (!token.is_empty()).then(|| token.to_owned())
}

/// The token that is offered as the subprotocol behind [`TOKEN_PROTOCOL`]. Browsers can send no other header.
fn subprotocol(headers: &HeaderMap) -> Option<String> {
    let offered = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    let mut offered = offered.flat_map(|list| list.split(',')).map(str::trim);
    offered.find(|name| *name == TOKEN_PROTOCOL)?;
    offered.next().filter(|token| !token.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_the_subprotocol_behind_ours() {
        let token = |lists: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for list in lists {
                headers.append(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(list));
            }
            subprotocol(&headers)
        };
        for lists in [&["natter.token, a.b.c"][..], &["chat,natter.token ,a.b.c"], &["natter.token", "a.b.c, more"]] {
            assert_eq!(token(lists).as_deref(), Some("a.b.c"), "{lists:?}");
        }
        for lists in [&[][..], &["natter.token"], &["natter.token,"], &["a.b.c, natter.token"], &["chat, a.b.c"]] {
            assert_eq!(token(lists), None, "{lists:?}");
        }
    }
}
