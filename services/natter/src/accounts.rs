//! Where accounts and rights are, for the commands that look after them.

use std::sync::Arc;

use natter_host::exit::Misconfigured;
use natter_model::id::AccountId;
use natter_store::accounts::{Account, AccountStore};
use natter_store::rights::RightsStore;
use natter_store::sqlite::SqliteStore;
use natter_store_pg::PgAccounts;

use crate::cli::AccountsConfig;
use crate::folder::DataFolder;

/// What holds both.
pub(crate) trait Accounts: AccountStore + RightsStore {}

impl<S: AccountStore + RightsStore> Accounts for S {}

/// In Postgres if that is named, else in the data folder of a Natter in one process, which may be running.
pub(crate) async fn open(config: &AccountsConfig) -> anyhow::Result<Arc<dyn Accounts>> {
    if let Some(url) = &config.authz_database_url {
        let store = PgAccounts::connect_lazy(url.expose());
        return Ok(Arc::new(store.map_err(|error| Misconfigured::new("AUTHZ_DATABASE_URL", error))?));
    }
    // Looked at first, because the folder would be made.
    let folder = if config.data.is_dir() { Some(DataFolder::open(&config.data)?) } else { None };
    let Some(folder) = folder.filter(|folder| folder.store().is_file()) else {
        let trouble =
            format!("there is no Natter in {}; name its folder, or set AUTHZ_DATABASE_URL", config.data.display());
        return Err(Misconfigured::new("NATTER_DATA", trouble).into());
    };
    let store = SqliteStore::open(&folder.store()).await.map_err(|error| folder.damaged(error))?;
    Ok(Arc::new(store))
}

/// The account with this username; digits are an id.
pub(crate) async fn find(store: &dyn Accounts, name: &str) -> anyhow::Result<Account> {
    let found = match name.parse::<u64>() {
        Ok(id) => match AccountId::new(id) {
            Some(id) => store.account(id).await?,
            None => None,
        },
        Err(_) => store.account_by_username(name).await?,
    };
    found.ok_or_else(|| Misconfigured::new("--account", format!("there is no account `{name}`")).into())
}
