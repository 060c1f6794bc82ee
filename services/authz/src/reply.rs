//! From the store's words to those of gRPC.

use std::time::Duration;

use natter_model::id::AccountId;
use natter_proto::v1;
use natter_store::accounts::{Account, Conversation};
use natter_store::error::StoreError;
use tonic::Status;
use tracing::warn;

/// Longest wait for the store: those who ask have given up by then.
const STORE_TIMEOUT: Duration = Duration::from_secs(5);

/// The store's answer, or why there is none. Logs the cause.
pub(crate) async fn ask<T>(answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, Status> {
    match tokio::time::timeout(STORE_TIMEOUT, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => {
            warn!(%error, "the store did not answer");
            Err(match error {
                StoreError::Unavailable(_) | StoreError::NotMigrated(_) => unavailable(),
                StoreError::Rejected(_) => Status::internal("the account store refuses this"),
            })
        }
        Err(_) => {
            warn!(timeout = ?STORE_TIMEOUT, "the store did not answer in time");
            Err(unavailable())
        }
    }
}

fn unavailable() -> Status {
    Status::unavailable("the account store cannot be reached")
}

/// An id that must be one.
pub(crate) fn account_id(id: u64) -> Result<AccountId, Status> {
    AccountId::new(id).ok_or_else(|| Status::invalid_argument("account_id is out of range"))
}

pub(crate) fn account(account: Account) -> v1::Account {
    v1::Account {
        account_id: account.id.get(),
        username: account.username,
        email: account.email,
        is_active: account.is_active,
        profile_types: account.profile_types,
    }
}

pub(crate) fn conversation(conversation: Conversation) -> v1::Conversation {
    let participants = conversation.participants.into_iter();
    v1::Conversation {
        conversation_id: conversation.id.get(),
        created_at_us: conversation.created_at.as_micros(),
        participants: participants
            .map(|participant| v1::Participant { account_id: participant.id.get(), username: participant.username })
            .collect(),
    }
}
