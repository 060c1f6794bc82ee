//! Which message a client has posted already, however long ago.

use std::sync::Arc;
use std::time::Duration;

use natter_model::id::AccountId;
use natter_proto::v1;
use natter_store::messages::{Message, MessageStore};
use natter_store::resend::ClientKey;

use crate::lag::Lag;
use crate::read_repair::ReadRepair;
use crate::reply::{Trouble, conversation_id};

/// A post that is younger than this may be missing in the answer. Well below the two minutes for which the log itself
/// knows a post again.
const LOG_KNOWS: Duration = Duration::from_secs(60);

/// Finds messages by the names that their senders gave them.
pub(crate) struct Resends {
    store: Arc<dyn MessageStore>,
    repair: Arc<ReadRepair>,
    lag: Arc<Lag>,
}

impl Resends {
    pub(crate) fn new(store: Arc<dyn MessageStore>, repair: Arc<ReadRepair>, lag: Arc<Lag>) -> Self {
        Self { store, repair, lag }
    }

    pub(crate) async fn find(&self, request: v1::FindResendRequest) -> Result<v1::FindResendReply, Trouble> {
        let conversation = conversation_id(request.conversation_id)?;
        let sender = AccountId::new(request.account_id).ok_or(Trouble::OutOfRange("account_id"))?;
        let key = ClientKey { conversation, sender, client_id: request.client_id };
        if key.client_id.contains('\0') {
            // No post has such a name: the fold refuses it.
            return Ok(v1::FindResendReply::default());
        }
        // Before the store is asked: later it might be said of what was not there yet.
        let is_close = self.lag.is_below(LOG_KNOWS);
        let mut found = self.store.sent_as(&key).await?;
        if found.is_none() && !is_close {
            self.repair.reach(conversation).await?;
            found = self.store.sent_as(&key).await?;
        }
        Ok(found.as_ref().map(reply).unwrap_or_default())
    }
}

fn reply(message: &Message) -> v1::FindResendReply {
    v1::FindResendReply { message_id: Some(message.id.get()), timestamp_us: message.timestamp.as_micros() }
}

#[cfg(test)]
mod tests;
