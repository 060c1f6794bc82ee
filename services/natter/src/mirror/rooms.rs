//! Conversations that were started in Natter come into Django's tables too.

use std::collections::{BTreeSet, HashSet};

use natter_log::port::{Log, LogError};
use natter_model::event::{Body, Entry, Origin};
use natter_model::id::{ConversationId, Position};
use natter_store::accounts::Conversation;
use natter_store_django::mirror::{Mirror, Room};
use tracing::{info, warn};

use super::source::Source;
use super::trouble::Trouble;

/// Conversations that are remembered to be in Django's tables. One that Django has removed since is found out about when a
/// message finds no place.
const REMEMBERED: usize = 10_000;

/// Conversations that are looked at at a time.
const PAGE: u32 = 500;

/// Which conversations are brought into Django's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// Those that are not there.
    Missing,
    /// Also those that are, so that participants come in whom Django did not know.
    All,
}

/// What is known of Django's conversations.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    known: HashSet<ConversationId>,
    /// Those that are nowhere any more.
    ended: HashSet<ConversationId>,
    /// All up to this one have been looked at.
    swept: Option<ConversationId>,
}

impl Rooms {
    /// Makes those in which something is said.
    pub(super) async fn meet(
        &mut self,
        source: &Source,
        mirror: &mut Mirror,
        entries: &[Entry],
    ) -> Result<(), Trouble> {
        let is_said =
            |entry: &&Entry| entry.event.origin == Origin::Natter && matches!(entry.event.body, Body::Posted { .. });
        let ids: BTreeSet<ConversationId> =
            entries.iter().filter(is_said).map(|entry| entry.event.conversation).collect();
        let unknown: Vec<ConversationId> = ids.into_iter().filter(|id| !self.known.contains(id)).collect();
        if self.known.len() > REMEMBERED {
            self.known.clear();
            self.ended.clear();
        }
        let lacking = if unknown.is_empty() { Vec::new() } else { mirror.lacks(&unknown).await? };
        for id in lacking {
            let is_there = match source.accounts.conversation(id).await? {
                Some(conversation) if is_natters(id, source.first) => open(&*source.log, mirror, &conversation).await?,
                Some(_) => true,
                None => false,
            };
            if !is_there {
                self.ended.insert(id);
            }
        }
        self.known.extend(unknown);
        Ok(())
    }

    /// Natter does not have it any more either, so that nobody misses what was said there.
    pub(super) fn has_ended(&self, conversation: ConversationId) -> bool {
        self.ended.contains(&conversation)
    }

    /// Makes those that nobody has said anything in, as far as they are newer than the last time. One that was started
    /// then and got a lower id is met when something is said there, or by the next mirror that begins.
    pub(super) async fn sweep(&mut self, source: &Source, mirror: &mut Mirror, which: Which) -> Result<(), Trouble> {
        loop {
            let after = self.swept.or(ConversationId::new(source.first.get().saturating_sub(1)));
            let page = source.accounts.conversations_after(after, PAGE).await?;
            let ids: Vec<ConversationId> = page.iter().map(|conversation| conversation.id).collect();
            let lacking: HashSet<ConversationId> = match which {
                Which::Missing => mirror.lacks(&ids).await?.into_iter().collect(),
                Which::All => ids.iter().copied().collect(),
            };
            for conversation in page.iter().filter(|conversation| lacking.contains(&conversation.id)) {
                open(&*source.log, mirror, conversation).await?;
            }
            self.swept = ids.last().copied().or(self.swept);
            if ids.len() < PAGE as usize {
                return Ok(());
            }
        }
    }
}

/// What Django has made and has no more shall not come back.
fn is_natters(id: ConversationId, first: Position) -> bool {
    id.get() >= first.get()
}

/// `false`: it has ended.
async fn open(log: &dyn Log, mirror: &mut Mirror, conversation: &Conversation) -> Result<bool, Trouble> {
    if has_ended(log, conversation.id).await? {
        return Ok(false);
    }
    let room = Room {
        id: conversation.id,
        created_at: conversation.created_at,
        participants: conversation.participants.iter().map(|participant| participant.id).collect(),
    };
    let unknown = mirror.open_room(&room).await?;
    info!(conversation = %room.id, "a conversation that was started in Natter is in Django's tables");
    for account in unknown {
        warn!(conversation = %room.id, %account, "a participant has no account in Django: make it there, with this id");
    }
    Ok(true)
}

/// It may still be known to authz, which forgets it after the log has said so.
async fn has_ended(log: &dyn Log, conversation: ConversationId) -> Result<bool, LogError> {
    let mut after = Position::START;
    loop {
        let page = log.read(conversation, after, PAGE as usize).await?;
        if page.iter().any(|entry| entry.event.body == Body::ConversationDeleted) {
            return Ok(true);
        }
        match page.last() {
            Some(last) if page.len() == PAGE as usize => after = last.position,
            _ => return Ok(false),
        }
    }
}
