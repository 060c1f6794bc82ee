//! Messages, compared: a row is as it should be if bringing its message over again would not change it.

use std::collections::HashMap;

use anyhow::Context as _;
use natter_model::id::MessageId;
use natter_store::fold::Row;
use natter_store::messages::Message;
use natter_store_django::tables::Part;
use natter_store_django::unfit::Kind;

use super::super::messages::{name_beyond, sorted};
use super::super::{Run, failed};

const KIND: Kind = Kind::Message;

/// Messages that are compared at a time.
const PAGE: usize = 2_000;

pub(super) async fn compare(run: &mut Run, since_id: u64) -> anyhow::Result<()> {
    let first = i64::try_from(since_id).unwrap_or(i64::MAX);
    let begin = if first <= 1 { i64::MIN } else { first - 1 };
    let through = run.limits.last_message;
    let extent = run.django.extent(Part::Messages, begin, through).await.map_err(failed)?;
    run.report.begin(KIND, extent.n_rows);
    let (mut after, mut from) = (Some(begin), since_id.max(1));
    while let Some(at) = after.filter(|_| !run.is_stopped()) {
        // Django's first: what it commits in between is not here yet, and what is relayed in between has a later id.
        let page = run.django.messages(at, through, PAGE).await.map_err(failed)?;
        after = page.next;
        let n_rows = page.rows.len();
        let last = page.next.unwrap_or(through);
        let ids = from..=super::super::number(last);
        from = ids.end() + 1;
        let rows = run.target.messages.rows_named(ids).await.context("reading Natter's messages")?;
        let mut here: HashMap<MessageId, Row> = rows.into_iter().map(|row| (row.id, row)).collect();
        for there in sorted(run, page.rows) {
            let row = here.remove(&there.id);
            judge(run, &there, row);
        }
        let mut only_here: Vec<Row> = here.into_values().collect();
        only_here.sort_unstable_by_key(|row| row.id);
        only_here.iter().for_each(|row| judge_alone(run, row));
        run.report.read(KIND, n_rows);
    }
    name_beyond(run).await?;
    run.report.end();
    Ok(())
}

fn judge(run: &mut Run, there: &Message, row: Option<Row>) {
    let Some(mut row) = row.filter(|row| row.posted().is_some()) else {
        return run.report.differs(KIND, there.id, "is not here");
    };
    let before = row.posted().map(|posted| posted.message.clone());
    if let Err(reason) = row.import(there) {
        return run.report.differs(KIND, there.id, &format!("is not here: {reason}"));
    }
    let after = row.posted().map(|posted| &posted.message);
    match (before.as_ref(), after) {
        (Some(before), _) if before == there => run.report.same(KIND),
        (Some(before), Some(after)) if before == after => run.report.since(KIND),
        (Some(before), Some(after)) => {
            let names = differences(before, after).join(", ");
            run.report.differs(KIND, there.id, &format!("differs in {names}"));
        }
        _ => run.report.differs(KIND, there.id, "is not here"),
    }
}

/// A row that Django has not. What was deleted Django tidies away; what was said here was never there.
fn judge_alone(run: &mut Run, row: &Row) {
    let Some(posted) = row.posted().filter(|posted| posted.has_given_id()) else { return };
    if run.report.was_left(KIND, row.id.get()) {
        return;
    }
    match posted.message.is_deleted {
        true => run.report.since(KIND),
        false => run.report.differs(KIND, row.id, "is here, but not at Django (--delete-gone deletes it)"),
    }
}

fn differences(before: &Message, after: &Message) -> Vec<&'static str> {
    let differences = [
        ("sender_name", before.sender_name != after.sender_name),
        ("content", before.content != after.content),
        ("attachment", before.attachment != after.attachment),
        ("timestamp", before.timestamp != after.timestamp),
        ("is_read", before.is_read != after.is_read),
        ("read_at", before.read_at != after.read_at),
        ("is_deleted", before.is_deleted != after.is_deleted),
        ("edited_at", before.edited_at != after.edited_at),
    ];
    differences.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}
