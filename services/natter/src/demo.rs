//! Two accounts to try Natter with, whose password everybody knows.

use anyhow::Context as _;
use natter_identity::password;
use natter_model::id::AccountId;
use natter_store::accounts::{Account, AccountStore};
use tokio::task;

/// The password of both.
pub(crate) const PASSWORD: &str = "password123";

/// Username, id and e-mail address of each.
pub(crate) const ACCOUNTS: [(&str, u64, &str); 2] =
    [("john_doe", 2, "john@example.com"), ("jane_smith", 3, "jane@example.com")];

/// The hash of [`PASSWORD`], as it will be when awaited; the work begins at once.
pub(crate) fn hash() -> task::JoinHandle<String> {
    task::spawn_blocking(|| password::hash(PASSWORD))
}

/// Makes the accounts, as they were if they are there already.
pub(crate) async fn create(store: &dyn AccountStore, password_hash: &str) -> anyhow::Result<()> {
    let accounts = ACCOUNTS.map(|(username, id, email)| Account {
        id: AccountId::new(id).expect("2 and 3 are ids"),
        username: username.to_owned(),
        email: email.to_owned(),
        password_hash: password_hash.to_owned(),
        is_active: true,
        profile_types: Vec::new(),
    });
    store.import_accounts(&accounts).await.context("making the demo accounts").map(drop)
}

/// Can anybody log in with a demo account? Costs a password check for each that is there.
pub(crate) async fn is_open(store: &dyn AccountStore) -> anyhow::Result<bool> {
    for (username, _, _) in ACCOUNTS {
        let account = store.account_by_username(username).await.context("looking for demo accounts")?;
        let Some(account) = account.filter(|account| account.is_active) else { continue };
        if task::spawn_blocking(move || password::verify(PASSWORD, &account.password_hash)).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Is there one at all?
pub(crate) async fn is_there(store: &dyn AccountStore) -> anyhow::Result<bool> {
    for (username, _, _) in ACCOUNTS {
        if store.account_by_username(username).await.context("looking for demo accounts")?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}
