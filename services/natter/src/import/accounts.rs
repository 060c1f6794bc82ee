//! Accounts, brought over.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context as _;
use natter_identity::password;
use natter_model::id::AccountId;
use natter_store::accounts::{Account, Imported, Refused};
use natter_store_django::django::BEFORE_ALL;
use natter_store_django::tables::Part;
use natter_store_django::unfit::{Kind, Unfit};

use super::{Mode, PAGE, Run, failed};

const KIND: Kind = Kind::Account;

pub(super) async fn bring(run: &mut Run, mode: Mode) -> anyhow::Result<()> {
    let extent = run.django.extent(Part::Accounts, BEFORE_ALL, i64::MAX).await.map_err(failed)?;
    run.report.begin(KIND, extent.n_rows);
    // Names of accounts that Natter has made itself: no row of Django's will free them.
    let own = own_names(run).await?;
    let mut after = Some(BEFORE_ALL);
    let mut waiting = Vec::new();
    while let Some(at) = after.filter(|_| !run.is_stopped()) {
        let page = run.django.accounts(at, PAGE).await.map_err(failed)?;
        after = page.next;
        let n_rows = page.rows.len();
        let accounts = run.sort(KIND, page.rows, |account| account.id.get());
        accounts.iter().filter(|account| !password::is_known(&account.password_hash)).for_each(|account| {
            run.report.note(KIND, account.id, "its password hash is kept, but of a kind that nobody can log in with");
        });
        let imported = match mode {
            Mode::Real => take(run, &accounts).await?,
            Mode::Dry => compare(run, &accounts, &own).await?,
        };
        run.report.changed(KIND, imported.n_changed);
        match mode {
            Mode::Real => waiting.extend(refused(accounts, &imported.refused)),
            Mode::Dry => imported.refused.iter().for_each(|refused| leave(run, refused)),
        }
        run.report.read(KIND, n_rows);
    }
    // Whose name somebody else had until their own turn came.
    if !waiting.is_empty() && !run.is_stopped() {
        let imported = take(run, &waiting).await?;
        run.report.changed(KIND, imported.n_changed);
        imported.refused.iter().for_each(|refused| leave(run, refused));
    }
    run.report.end();
    Ok(())
}

async fn take(run: &Run, accounts: &[Account]) -> anyhow::Result<Imported> {
    run.target.accounts.import_accounts(accounts).await.context("bringing accounts over")
}

async fn compare(run: &Run, accounts: &[Account], own: &HashMap<String, AccountId>) -> anyhow::Result<Imported> {
    let stored = stored(run, accounts).await?;
    let mut imported = Imported::default();
    for account in accounts {
        match own.get(&account.username) {
            Some(owner) => {
                let reason = format!("its username is that of account {owner}");
                imported.refused.push(Refused { id: account.id.get(), reason });
            }
            None => imported.n_changed += u64::from(stored.get(&account.id) != Some(account)),
        }
    }
    Ok(imported)
}

/// Natter's rows of these accounts.
async fn stored(run: &Run, accounts: &[Account]) -> anyhow::Result<BTreeMap<AccountId, Account>> {
    match (accounts.first(), accounts.last()) {
        (Some(first), Some(last)) => run.target.stored_accounts(first.id.get()..=last.id.get()).await,
        _ => Ok(BTreeMap::new()),
    }
}

async fn own_names(run: &Run) -> anyhow::Result<HashMap<String, AccountId>> {
    let own = run.target.stored_accounts(run.limits.first.unsigned_abs()..=u64::MAX).await?;
    Ok(own.into_values().map(|account| (account.username, account.id)).collect())
}

fn refused(accounts: Vec<Account>, refused: &[Refused]) -> impl Iterator<Item = Account> {
    accounts.into_iter().filter(|account| refused.iter().any(|refused| refused.id == account.id.get()))
}

fn leave(run: &mut Run, refused: &Refused) {
    run.report.left(&Unfit { kind: KIND, id: refused.id.cast_signed(), reason: refused.reason.clone() });
}
