//! What REST asks of authz and persistence, and what it makes of their silence.

use std::future::{Future, ready};

use axum::http::StatusCode;
use natter_host::calls::Calls;
use natter_proto::v1::messages_client::MessagesClient;
use tonic::Code;

use super::answer::Refusal;
use crate::app::App;

/// The largest reply of persistence, in bytes: 500 messages of 5000 characters fit several times over.
const MAX_REPLY_BYTES: usize = 64 << 20;

/// Persistence, for replies that hold many messages.
pub(crate) fn messages_client(app: &App) -> MessagesClient<Calls> {
    app.messages.clone().max_decoding_message_size(MAX_REPLY_BYTES)
}

/// What another service replied.
pub(crate) async fn ask<T>(
    call: impl Future<Output = Result<tonic::Response<T>, tonic::Status>>,
) -> Result<T, Refusal> {
    call.await.map(tonic::Response::into_inner).map_err(|status| refusal_of(&status))
}

/// What another service found. `None`: it knows no such thing.
pub(crate) async fn look_up<T>(
    call: impl Future<Output = Result<tonic::Response<T>, tonic::Status>>,
) -> Result<Option<T>, Refusal> {
    match call.await {
        Err(status) if status.code() == Code::NotFound => Ok(None),
        other => ask(ready(other)).await.map(Some),
    }
}

fn refusal_of(status: &tonic::Status) -> Refusal {
    match status.code() {
        // How tonic says that a reply is larger than the client takes.
        Code::OutOfRange => Refusal::detail(
            StatusCode::BAD_REQUEST,
            "This is too much to be sent at once, please ask for fewer messages with page_size.",
        ),
        Code::InvalidArgument | Code::NotFound | Code::Internal | Code::Unimplemented => {
            tracing::error!(error = %status, "a service refused what REST asked of it");
            Refusal::internal()
        }
        _ => {
            tracing::warn!(error = %status, "a service is unavailable");
            Refusal::unavailable()
        }
    }
}
