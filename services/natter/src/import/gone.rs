//! What an earlier run brought in and Django has no longer ends here too: through the log, so that everybody is told.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use anyhow::Context as _;
use natter_model::event::{Actor, Body, Event, Origin};
use natter_model::id::{AccountId, ConversationId, EventId};
use natter_model::timestamp::Timestamp;
use natter_store::accounts::Conversation;
use natter_store::fold::Row;
use natter_store::messages::Message;
use natter_store_django::tables::Part;
use natter_store_django::unfit::Kind;

use super::{PAGE, Run, failed, number};
use crate::cli::import::ImportConfig;

pub(super) async fn delete(run: &mut Run, config: &ImportConfig) -> anyhow::Result<()> {
    delete_conversations(run).await?;
    if !config.without_messages {
        delete_messages(run, config.since_id).await?;
    }
    Ok(())
}

async fn delete_conversations(run: &mut Run) -> anyhow::Result<()> {
    let through = run.limits.first - 1;
    let mut window = Window { after: 0, last: 0 };
    while window.last < through && !run.is_stopped() {
        let there = window.next(run, Part::Conversations, through).await?;
        let mut here = run.target.stored_conversations(window.ids()).await?;
        here.retain(|id, _| !there.contains(&id.as_i64()));
        let there = window.again(run, Part::Conversations, here.is_empty()).await?;
        for (id, conversation) in here.into_iter().filter(|(id, _)| !there.contains(&id.as_i64())) {
            end_conversation(run, id, &conversation).await?;
            run.report.deleted(Kind::Conversation);
        }
    }
    Ok(())
}

async fn delete_messages(run: &mut Run, since_id: u64) -> anyhow::Result<()> {
    let through = run.limits.last_message;
    let begin = i64::try_from(since_id).unwrap_or(i64::MAX).max(1) - 1;
    let mut window = Window { after: begin, last: begin };
    while window.last < through && !run.is_stopped() {
        let there = window.next(run, Part::Messages, through).await?;
        let rows = run.target.messages.rows_named(window.ids()).await.context("reading Natter's messages")?;
        let given = rows.iter().filter_map(Row::posted).filter(|posted| posted.has_given_id());
        let mut here: Vec<&Message> = given.map(|posted| &posted.message).collect();
        here.retain(|message| !message.is_deleted && !there.contains(&message.id.as_i64()));
        let there = window.again(run, Part::Messages, here.is_empty()).await?;
        for message in here.into_iter().filter(|message| !there.contains(&message.id.as_i64())) {
            delete_message(run, message).await?;
            run.report.deleted(Kind::Message);
        }
    }
    Ok(())
}

/// Some ids in a row.
struct Window {
    after: i64,
    last: i64,
}

impl Window {
    /// Goes on to the ids behind it, and answers which of them Django has.
    async fn next(&mut self, run: &Run, part: Part, through: i64) -> anyhow::Result<BTreeSet<i64>> {
        self.after = self.last;
        let ids = run.django.ids(part, self.after, through, PAGE).await.map_err(failed)?;
        self.last = ids.last().copied().filter(|_| ids.len() == PAGE).unwrap_or(through);
        Ok(ids.into_iter().collect())
    }

    /// Which of them Django has now: something may have come to both sides since it was asked.
    async fn again(&self, run: &Run, part: Part, is_settled: bool) -> anyhow::Result<BTreeSet<i64>> {
        if is_settled {
            return Ok(BTreeSet::new());
        }
        let ids = run.django.ids(part, self.after, self.last, usize::MAX).await.map_err(failed)?;
        Ok(ids.into_iter().collect())
    }

    fn ids(&self) -> RangeInclusive<u64> {
        number(self.after) + 1..=number(self.last)
    }
}

/// In the order in which a client's request does it: the log knows first, so that doing it again finishes it.
async fn end_conversation(run: &Run, id: ConversationId, conversation: &Conversation) -> anyhow::Result<()> {
    let first = conversation.participants.first();
    // Nobody is shown who it was; of a conversation of nobody, the first account stands in.
    let actor = first.map_or_else(
        || Actor { id: AccountId::new(1).expect("1 is an id"), username: String::new() },
        |first| Actor { id: first.id, username: first.username.clone() },
    );
    append(run, id, actor, Body::ConversationDeleted).await?;
    run.target.accounts.delete_conversation(id).await.context("deleting a conversation")?;
    Ok(())
}

async fn delete_message(run: &Run, message: &Message) -> anyhow::Result<()> {
    let Message { id, conversation, sender, sender_name, .. } = message;
    let actor = Actor { id: *sender, username: sender_name.clone() };
    append(run, *conversation, actor, Body::Deleted { message: *id }).await
}

/// As said at Django: nobody has to be told there.
async fn append(run: &Run, conversation: ConversationId, actor: Actor, body: Body) -> anyhow::Result<()> {
    let id = EventId::fresh();
    let event = Event { id, conversation, actor, at: Timestamp::now(), origin: Origin::Channels, body };
    run.target.log.append(&event).await.context("telling the log what is gone")?;
    Ok(())
}
