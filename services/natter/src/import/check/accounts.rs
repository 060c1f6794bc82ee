//! Accounts, compared.

use natter_identity::password;
use natter_store::accounts::Account;
use natter_store_django::django::BEFORE_ALL;
use natter_store_django::tables::Part;
use natter_store_django::unfit::Kind;

use super::super::{PAGE, Run, failed};

const KIND: Kind = Kind::Account;

pub(super) async fn compare(run: &mut Run) -> anyhow::Result<()> {
    let extent = run.django.extent(Part::Accounts, BEFORE_ALL, i64::MAX).await.map_err(failed)?;
    run.report.begin(KIND, extent.n_rows);
    let (mut after, mut from) = (Some(BEFORE_ALL), 1);
    while let Some(at) = after.filter(|_| !run.is_stopped()) {
        let page = run.django.accounts(at, PAGE).await.map_err(failed)?;
        after = page.next;
        let n_rows = page.rows.len();
        let ids = super::range(run, from, page.next);
        from = ids.end() + 1;
        let mut here = run.target.stored_accounts(ids).await?;
        for there in run.sort(KIND, page.rows, |account| account.id.get()) {
            match here.remove(&there.id) {
                None => run.report.differs(KIND, there.id, "is not here"),
                Some(here) => judge(run, &there, &here),
            }
        }
        for id in here.into_keys().filter(|id| !run.report.was_left(KIND, id.get())).collect::<Vec<_>>() {
            run.report.differs(KIND, id, "is here, but not at Django");
        }
        run.report.read(KIND, n_rows);
    }
    run.report.end();
    Ok(())
}

fn judge(run: &mut Run, there: &Account, here: &Account) {
    let differences = [
        ("username", there.username != here.username),
        ("email", there.email != here.email),
        ("is_active", there.is_active != here.is_active),
        ("profile types", there.profile_types != here.profile_types),
        ("password", there.password_hash != here.password_hash && !is_hashed_anew(there, here)),
    ];
    let names: Vec<&str> = differences.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect();
    match names.as_slice() {
        [] if there.password_hash == here.password_hash => run.report.same(KIND),
        [] => run.report.since(KIND),
        names => run.report.differs(KIND, there.id, &format!("differs in {}", names.join(", "))),
    }
}

/// A login here puts a fresh hash of the same password in place of a weaker one.
fn is_hashed_anew(there: &Account, here: &Account) -> bool {
    password::needs_rehash(&there.password_hash) && !password::needs_rehash(&here.password_hash)
}
