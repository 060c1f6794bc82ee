//! `natter migrate`.

use natter_host::exit::Misconfigured;
use natter_host::telemetry;
use natter_store::accounts::AccountStore as _;
use natter_store::error::StoreError;
use natter_store::messages::MessageStore as _;
use natter_store_pg::{MigrateError, PgAccounts, PgMessages};

use crate::cli::MigrateConfig;

pub(crate) async fn run(config: &MigrateConfig) -> anyhow::Result<()> {
    telemetry::init(&config.telemetry.clone().or_filter("warn"))?;
    if let Some(url) = &config.authz_database_url {
        let setting = "AUTHZ_DATABASE_URL";
        let store = PgAccounts::connect_lazy(url.expose()).map_err(|error| Misconfigured::new(setting, error))?;
        let before = store.ready().await;
        PgAccounts::migrate(url.expose()).await.map_err(|error| explain(setting, error))?;
        tell("authz", &before);
    }
    if let Some(url) = &config.persistence_database_url {
        let setting = "PERSISTENCE_DATABASE_URL";
        let store = PgMessages::connect_lazy(url.expose()).map_err(|error| Misconfigured::new(setting, error))?;
        let before = store.ready().await;
        PgMessages::migrate(url.expose()).await.map_err(|error| explain(setting, error))?;
        tell("persistence", &before);
    }
    Ok(())
}

fn tell(schema: &str, before: &Result<(), StoreError>) {
    match before {
        Ok(()) => println!("The tables of {schema} are as they should be."),
        Err(_) => println!("The tables of {schema} are brought up to date."),
    }
}

fn explain(setting: &str, error: MigrateError) -> anyhow::Error {
    match error {
        MigrateError::Url(error) => Misconfigured::new(setting, error).into(),
        other => anyhow::Error::new(other).context(setting.to_owned()),
    }
}
