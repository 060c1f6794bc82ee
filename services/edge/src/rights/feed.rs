//! Follows authz: what ended, and what ends.

use std::time::Duration;

use natter_host::backoff::Backoff;
use natter_model::id::{AccountId, ConversationId};
use natter_model::timestamp::Timestamp;
use natter_proto::v1;
use natter_proto::v1::rights_change::Change;
use tokio::time;
use tracing::{debug, info, warn};

use super::Rights;
use crate::gate::Gate;
use crate::metrics::{self, Present};

/// Longest wait for the stream to begin.
const BEGINNING: Duration = Duration::from_secs(5);
/// Longest silence: authz gives a sign of life every two seconds.
const SILENCE: Duration = Duration::from_secs(10);
/// Pauses before the next attempt. Authz being back, sockets shall be closed within a second.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// Time between two looks for what no longer matters.
const FORGET_EVERY: Duration = Duration::from_secs(30);

impl Rights {
    /// Follows for ever: takes in what authz tells, and makes the gate forget what is no longer so. What happens while
    /// authz cannot be reached is told as soon as it can.
    pub(crate) async fn follow(&self, gate: &Gate) {
        tokio::select! {
            () = self.keep_listening(gate) => {}
            () = self.keep_forgetting() => {}
        }
    }

    async fn keep_listening(&self, gate: &Gate) {
        let mut backoff = Backoff::between(FIRST_PAUSE, LONGEST_PAUSE);
        let mut is_told = false;
        loop {
            let mut followed = None;
            let error = self.listen(gate, &mut followed).await;
            self.lose();
            if followed.take().is_some() {
                // An authz that ends or whose connection is old: the next one goes on where this one was.
                info!(error, "hearing of rights that end has to begin again");
                backoff.reset();
                is_told = false;
            } else if !std::mem::replace(&mut is_told, true) {
                warn!(error, "cannot hear of rights that end");
            }
            backoff.wait().await;
        }
    }

    /// Why authz can be heard no longer. `followed` is filled as soon as it is heard.
    async fn listen(&self, gate: &Gate, followed: &mut Option<Present>) -> String {
        let request = v1::WatchRightsRequest { after: self.last_change() };
        let mut authz = gate.authz();
        let mut changes = match time::timeout(BEGINNING, authz.watch_rights(request)).await {
            Ok(Ok(reply)) => reply.into_inner(),
            Ok(Err(status)) => return format!("{:?}: {}", status.code(), status.message()),
            Err(_) => return "authz does not answer".to_owned(),
        };
        loop {
            match time::timeout(SILENCE, changes.message()).await {
                Ok(Ok(Some(change))) => {
                    if followed.is_none() {
                        *followed = Some(metrics::rights_followed());
                        info!(after = self.last_change(), "hearing of rights that end");
                    }
                    self.take(change, gate).await;
                }
                Ok(Ok(None)) => return "authz has ended".to_owned(),
                Ok(Err(status)) => return format!("{:?}: {}", status.code(), status.message()),
                Err(_) => return "authz gives no sign of life".to_owned(),
            }
        }
    }

    async fn take(&self, change: v1::RightsChange, gate: &Gate) {
        let change_id = change.change_id;
        let is_up_to_date = matches!(change.change, Some(Change::UpToDate(_)));
        match change.change {
            Some(Change::TokenRevoked(token)) => {
                let expires_at = Timestamp::from_micros(token.expires_at_us);
                let account = AccountId::new(token.account_id);
                debug!(account = account.map(display), change_id, "a token is revoked");
                self.revoke_token(account, &token.jti, expires_at);
            }
            Some(Change::TokensRevoked(tokens)) => {
                if let Some(account) = AccountId::new(tokens.account_id) {
                    let expires_at = Timestamp::from_micros(tokens.expires_at_us);
                    debug!(%account, change_id, "all tokens of the account are revoked");
                    self.revoke_tokens_of(account, tokens.issued_up_to_s, expires_at);
                }
            }
            Some(Change::ParticipantRemoved(removed)) => {
                let ids = (AccountId::new(removed.account_id), ConversationId::new(removed.conversation_id));
                if let (Some(account), Some(conversation)) = ids {
                    debug!(%conversation, %account, change_id, "a participant is removed");
                    // First, so that whoever comes again at once is not let in from memory.
                    gate.forget(account, conversation).await;
                    self.remove(account, conversation, change_id);
                }
            }
            // A later version of authz may tell of more.
            Some(Change::UpToDate(_)) | None => {}
        }
        self.0.progress.send_if_modified(|progress| {
            let is_news = is_up_to_date && !progress.is_known;
            progress.last_change = progress.last_change.max(change_id);
            progress.is_known |= is_up_to_date;
            progress.is_followed |= is_up_to_date;
            is_news
        });
    }

    fn lose(&self) {
        self.0.progress.send_if_modified(|progress| {
            progress.is_followed = false;
            false
        });
    }

    async fn keep_forgetting(&self) {
        let mut ticks = time::interval(FORGET_EVERY);
        loop {
            ticks.tick().await;
            self.forget_expired(Timestamp::now());
        }
    }
}
