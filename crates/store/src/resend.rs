//! Messages that were sent again: however often their sender posts one, it is there once.
//!
//! The log itself takes a repeated post only once, and edges ask for older ones before they append. What slips past
//! both is caught here: of the posts that one sender has given one `client_id` in one conversation, the lowest is the
//! message. The others keep their rows, which fold as any row does, so that it does not matter which one came first;
//! but nobody is shown them.

use std::collections::BTreeSet;

use natter_model::event::{Body, Event};
use natter_model::id::{AccountId, ConversationId};

use crate::fold::Posted;

/// What its sender calls a message, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientKey {
    /// Where.
    pub conversation: ConversationId,
    /// Whose name it is.
    pub sender: AccountId,
    /// The name.
    pub client_id: String,
}

impl ClientKey {
    /// The key that an event gives a message; `None`: it posts none, or one without a name.
    pub fn of_event(event: &Event) -> Option<Self> {
        match &event.body {
            Body::Posted { client_id: Some(client_id), .. } => {
                Some(Self { conversation: event.conversation, sender: event.actor.id, client_id: client_id.clone() })
            }
            _ => None,
        }
    }

    /// The key of a posted message.
    pub(crate) fn of_row(posted: &Posted) -> Option<Self> {
        let client_id = posted.client_id.clone()?;
        Some(Self { conversation: posted.message.conversation, sender: posted.message.sender, client_id })
    }
}

/// Of the rows with each of the keys, which are all there, ascending by id: the first is the message, the others are
/// resends. Notes which ones were something else before.
pub(crate) fn settle<'a>(rows: impl Iterator<Item = (&'a mut Posted, &'a mut bool)>, keys: &BTreeSet<ClientKey>) {
    if keys.is_empty() {
        return;
    }
    let mut seen = BTreeSet::new();
    for (posted, is_changed) in rows {
        let Some(key) = ClientKey::of_row(posted).filter(|key| keys.contains(key)) else { continue };
        let is_resend = !seen.insert(key);
        *is_changed |= posted.is_resend != is_resend;
        posted.is_resend = is_resend;
    }
}
