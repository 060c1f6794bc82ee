//! Conversations and who takes part in them, brought over.

use std::time::Duration;

use anyhow::Context as _;
use natter_model::id::{AccountId, ConversationId};
use natter_model::timestamp::Timestamp;
use natter_store::accounts::{Conversation, Imported, Refused};
use natter_store_django::django::BEFORE_ALL;
use natter_store_django::tables::Part;
use natter_store_django::unfit::{Kind, Unfit};

use super::{Mode, PAGE, Run, failed};

const KIND: Kind = Kind::Conversation;

/// As long as a removal is remembered: an edge that was cut off from authz for longer than that has no sockets left.
const MEMORY: Duration = Duration::from_secs(30 * 24 * 3600);

pub(super) async fn bring(run: &mut Run, mode: Mode) -> anyhow::Result<()> {
    let extent = run.django.extent(Part::Conversations, BEFORE_ALL, i64::MAX).await.map_err(failed)?;
    run.report.begin(KIND, extent.n_rows);
    let mut after = Some(BEFORE_ALL);
    while let Some(at) = after.filter(|_| !run.is_stopped()) {
        let page = run.django.conversations(at, PAGE).await.map_err(failed)?;
        after = page.next;
        let n_rows = page.rows.len();
        let conversations = run.sort(KIND, page.rows, |conversation| conversation.id.get());
        let conversations = present(run, conversations);
        let stored = stored(run, &conversations).await?;
        let imported = match mode {
            Mode::Real => {
                let taken = run.target.accounts.import_conversations(&conversations).await;
                taken.context("bringing conversations over")?
            }
            Mode::Dry => compare(run, &conversations, &stored),
        };
        run.report.changed(KIND, imported.n_changed);
        for Refused { id, reason } in imported.refused {
            run.report.left(&Unfit { kind: KIND, id: id.cast_signed(), reason });
        }
        for (conversation, account) in gone(&conversations, &stored) {
            run.report.note(KIND, conversation, &format!("account {account} takes part no longer"));
            if mode == Mode::Real {
                let until = Timestamp::now().after(MEMORY);
                let removed = run.target.accounts.remove_participant(conversation, account, until).await;
                removed.context("removing a participant")?;
            }
        }
        run.report.read(KIND, n_rows);
    }
    if mode == Mode::Real {
        // Who deleted one of them meanwhile may have come first.
        for id in run.target.newly_erased().await? {
            run.target.accounts.delete_conversation(id).await.context("deleting a conversation")?;
        }
    }
    run.report.end();
    Ok(())
}

/// Those that were not deleted here, and in which nobody takes part who was left.
pub(super) fn present(run: &mut Run, conversations: Vec<Conversation>) -> Vec<Conversation> {
    let mut present = Vec::with_capacity(conversations.len());
    for conversation in conversations {
        let stranger = conversation.participants.iter().find(|who| run.report.was_left(Kind::Account, who.id.get()));
        if run.target.erased.contains(&conversation.id) {
            run.report.passed_over(KIND);
        } else if let Some(stranger) = stranger {
            let reason = format!("account {} takes part, which is left", stranger.id);
            run.report.left(&Unfit { kind: KIND, id: conversation.id.as_i64(), reason });
        } else {
            present.push(conversation);
        }
    }
    present
}

type Stored = std::collections::BTreeMap<ConversationId, Conversation>;

async fn stored(run: &Run, conversations: &[Conversation]) -> anyhow::Result<Stored> {
    match (conversations.first(), conversations.last()) {
        (Some(first), Some(last)) => run.target.stored_conversations(first.id.get()..=last.id.get()).await,
        _ => Ok(Stored::new()),
    }
}

fn compare(run: &Run, conversations: &[Conversation], stored: &Stored) -> Imported {
    let is_changed = |conversation: &&Conversation| {
        stored.get(&conversation.id).is_none_or(|stored| {
            let missing = missing(conversation, stored).filter(|who| !run.target.removed.contains(&(stored.id, *who)));
            stored.created_at != conversation.created_at || missing.count() > 0
        })
    };
    let n_changed = conversations.iter().filter(is_changed).count();
    Imported { n_changed: n_changed as u64, refused: Vec::new() }
}

/// Who takes part in the one, but not in the other.
pub(super) fn missing<'a>(one: &'a Conversation, other: &'a Conversation) -> impl Iterator<Item = AccountId> {
    let takes_part = |who: AccountId| other.participants.iter().any(|participant| participant.id == who);
    one.participants.iter().map(|participant| participant.id).filter(move |who| !takes_part(*who))
}

/// Who takes part here, but no longer at Django.
fn gone(conversations: &[Conversation], stored: &Stored) -> Vec<(ConversationId, AccountId)> {
    let pairs = conversations.iter().filter_map(|there| Some((there, stored.get(&there.id)?)));
    pairs.flat_map(|(there, here)| missing(here, there).map(|account| (here.id, account))).collect()
}
