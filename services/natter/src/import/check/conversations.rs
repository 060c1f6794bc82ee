//! Conversations and who takes part in them, compared.

use natter_store::accounts::Conversation;
use natter_store_django::django::BEFORE_ALL;
use natter_store_django::tables::Part;
use natter_store_django::unfit::Kind;

use super::super::conversations::{missing, present};
use super::super::{PAGE, Run, failed};

const KIND: Kind = Kind::Conversation;

pub(super) async fn compare(run: &mut Run) -> anyhow::Result<()> {
    let extent = run.django.extent(Part::Conversations, BEFORE_ALL, i64::MAX).await.map_err(failed)?;
    run.report.begin(KIND, extent.n_rows);
    let (mut after, mut from) = (Some(BEFORE_ALL), 1);
    while let Some(at) = after.filter(|_| !run.is_stopped()) {
        let page = run.django.conversations(at, PAGE).await.map_err(failed)?;
        after = page.next;
        let n_rows = page.rows.len();
        let ids = super::range(run, from, page.next);
        from = ids.end() + 1;
        let mut here = run.target.stored_conversations(ids).await?;
        let there = run.sort(KIND, page.rows, |conversation| conversation.id.get());
        for there in present(run, there) {
            match here.remove(&there.id) {
                None => run.report.differs(KIND, there.id, "is not here"),
                Some(here) => judge(run, &there, &here),
            }
        }
        for id in here.into_keys().filter(|id| !run.report.was_left(KIND, id.get())).collect::<Vec<_>>() {
            run.report.differs(KIND, id, "is here, but not at Django (--delete-gone ends it)");
        }
        run.report.read(KIND, n_rows);
    }
    run.report.end();
    Ok(())
}

fn judge(run: &mut Run, there: &Conversation, here: &Conversation) {
    let (removed, absent): (Vec<_>, Vec<_>) =
        missing(there, here).partition(|account| run.target.removed.contains(&(here.id, *account)));
    let strange: Vec<_> = missing(here, there).collect();
    if let Some(account) = absent.first() {
        run.report.differs(KIND, here.id, &format!("lacks account {account}, who takes part at Django"));
    } else if let Some(account) = strange.first() {
        run.report.differs(KIND, here.id, &format!("has account {account}, who takes no part at Django"));
    } else if there.created_at != here.created_at {
        run.report.differs(KIND, here.id, "differs in created_at");
    } else if removed.is_empty() {
        run.report.same(KIND);
    } else {
        run.report.since(KIND);
    }
}
