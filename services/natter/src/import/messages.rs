//! Messages, brought over.

use anyhow::Context as _;
use natter_model::id::{MAX_ID, MessageId};
use natter_store::fold::Row;
use natter_store::messages::{Message, Refused};
use natter_store_django::tables::Part;
use natter_store_django::unfit::{Kind, Unfit};
use tokio::task::JoinSet;

use super::{Mode, Run, failed};

const KIND: Kind = Kind::Message;

/// Messages that are brought over at a time.
const PAGE: usize = 2_000;

/// Pages that are on their way into the store while the next one is read.
const IN_FLIGHT: usize = 2;

/// Ids that the next run should go back behind where this one came to: a transaction of Django's that was slow makes
/// its row visible behind later ones.
const MARGIN: i64 = 1_000;

pub(super) async fn bring(run: &mut Run, since_id: u64, mode: Mode) -> anyhow::Result<()> {
    let (first, through) = (i64::try_from(since_id).unwrap_or(i64::MAX), run.limits.last_message);
    // Ids below all good ones are only looked at to be named.
    let begin = if first <= 1 { i64::MIN } else { first - 1 };
    let extent = run.django.extent(Part::Messages, begin, through).await.map_err(failed)?;
    run.report.begin(KIND, extent.n_rows);
    let mut writing = JoinSet::new();
    let (mut after, mut done) = (Some(begin), begin);
    while let Some(at) = after.filter(|_| !run.is_stopped()) {
        let page = run.django.messages(at, through, PAGE).await.map_err(failed)?;
        after = page.next;
        done = page.next.unwrap_or(through);
        let n_rows = page.rows.len();
        let messages = sorted(run, page.rows);
        match mode {
            Mode::Real => {
                if writing.len() == IN_FLIGHT {
                    settle(run, writing.join_next().await)?;
                }
                let store = run.target.messages.clone();
                writing.spawn(async move { store.import(&messages).await });
            }
            Mode::Dry => compare(run, &messages).await?,
        }
        run.report.read(KIND, n_rows);
    }
    while let Some(written) = writing.join_next().await {
        settle(run, Some(written))?;
    }
    name_beyond(run).await?;
    run.report.end();
    let next = (done - MARGIN).max(1);
    if mode == Mode::Real && done > 1 {
        run.report.print(&format!(
            "Messages up to {done} are here. Unless older ones were edited, deleted or read meanwhile, --since-id {next} \
             brings over what is new."
        ));
    }
    Ok(())
}

/// What lies beyond all ids is only named.
pub(super) async fn name_beyond(run: &mut Run) -> anyhow::Result<()> {
    let mut after = Some(MAX_ID.cast_signed());
    while let Some(at) = after.filter(|_| !run.is_stopped()) {
        let page = run.django.messages(at, i64::MAX, PAGE).await.map_err(failed)?;
        after = page.next;
        run.report.read(KIND, page.rows.len());
        page.rows.iter().filter_map(|row| row.as_ref().err()).for_each(|unfit| run.report.left(unfit));
    }
    Ok(())
}

type Written = Result<Result<Vec<Refused>, natter_store::error::StoreError>, tokio::task::JoinError>;

fn settle(run: &mut Run, written: Option<Written>) -> anyhow::Result<()> {
    let Some(written) = written else { return Ok(()) };
    let refused = written.context("a page was given up")?.context("bringing messages over")?;
    for Refused { id, reason } in refused {
        leave(run, id, reason.to_owned());
    }
    Ok(())
}

/// Those that fit, in conversations and of accounts that are here.
pub(super) fn sorted(run: &mut Run, rows: Vec<Result<Message, Unfit>>) -> Vec<Message> {
    let mut messages = Vec::with_capacity(rows.len());
    for row in rows {
        match row {
            Err(unfit) => run.report.left(&unfit),
            Ok(message) if run.target.erased.contains(&message.conversation) => run.report.passed_over(KIND),
            Ok(message) if run.report.was_left(Kind::Conversation, message.conversation.get()) => {
                leave(run, message.id, format!("its conversation {} is left", message.conversation));
            }
            Ok(message) if run.report.was_left(Kind::Account, message.sender.get()) => {
                leave(run, message.id, format!("its sender {} is left", message.sender));
            }
            Ok(message) => messages.push(message),
        }
    }
    messages
}

/// What would become of them.
async fn compare(run: &mut Run, messages: &[Message]) -> anyhow::Result<()> {
    let ids: Vec<MessageId> = messages.iter().map(|message| message.id).collect();
    let stored = run.target.messages.rows_of(&ids).await.context("reading Natter's messages")?;
    let mut rows: std::collections::HashMap<_, _> = stored.into_iter().map(|row| (row.id, row)).collect();
    for message in messages {
        let mut row = rows.remove(&message.id).unwrap_or_else(|| Row::new(message.id));
        match row.import(message) {
            Ok(effect) => run.report.changed(KIND, u64::from(effect.changed)),
            Err(reason) => leave(run, message.id, reason.to_owned()),
        }
    }
    Ok(())
}

fn leave(run: &mut Run, id: MessageId, reason: String) {
    run.report.left(&Unfit { kind: KIND, id: id.as_i64(), reason });
}
