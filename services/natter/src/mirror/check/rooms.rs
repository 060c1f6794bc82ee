//! Conversations that were started in Natter.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use natter_model::id::{AccountId, ConversationId};
use natter_store::accounts::Conversation;

use super::findings::{Difference, Findings};
use super::{Check, TO};

/// Conversations that are read at a time.
const PAGE: u32 = 1_000;

/// Who takes part where.
type Rooms = BTreeMap<ConversationId, BTreeSet<AccountId>>;

impl Check {
    pub(super) async fn compare_rooms(&self, findings: &mut Findings) -> anyhow::Result<()> {
        let (ours, mut theirs) = (self.our_rooms().await?, self.their_rooms(findings).await?);
        for (id, participants) in ours {
            match theirs.remove(&id) {
                Some(there) if there == participants => findings.n_rooms += 1,
                Some(_) => findings.differs(Difference::Participants(id)),
                None => findings.differs(Difference::MissingRoom(id)),
            }
        }
        theirs.into_keys().for_each(|id| findings.differs(Difference::StrangeRoom(id)));
        Ok(())
    }

    async fn our_rooms(&self) -> anyhow::Result<Rooms> {
        let mut rooms = Rooms::new();
        let mut after = ConversationId::new(self.source.first.get().saturating_sub(1));
        loop {
            let page = self.source.accounts.conversations_after(after, PAGE).await;
            let page = page.context("reading Natter's conversations")?;
            after = page.last().map(|last| last.id).or(after);
            let is_last = page.len() < PAGE as usize;
            rooms.extend(page.into_iter().map(room));
            if is_last {
                return Ok(rooms);
            }
        }
    }

    async fn their_rooms(&self, findings: &mut Findings) -> anyhow::Result<Rooms> {
        let mut rooms = Rooms::new();
        let mut after = Some(self.source.first.as_i64().saturating_sub(1));
        while let Some(last) = after {
            let page = self.django.conversations(last, PAGE as usize).await.context(TO)?;
            after = page.next;
            for row in page.rows {
                match row {
                    Ok(conversation) => rooms.extend([room(conversation)]),
                    Err(unfit) => findings.differs(Difference::Unreadable(unfit)),
                }
            }
        }
        Ok(rooms)
    }
}

fn room(conversation: Conversation) -> (ConversationId, BTreeSet<AccountId>) {
    (conversation.id, conversation.participants.into_iter().map(|participant| participant.id).collect())
}
