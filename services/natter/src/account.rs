//! `natter account create`.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::sync::Arc;

use anyhow::Context as _;
use natter_host::exit::Misconfigured;
use natter_host::telemetry;
use natter_identity::password;
use natter_model::text;
use natter_store::accounts::{AccountStore, NewAccount};
use natter_store::sqlite::SqliteStore;
use natter_store_pg::PgAccounts;

use crate::cli::AccountConfig;
use crate::folder::DataFolder;

const SHORTEST_PASSWORD: usize = 8;
/// As in Django.
const LONGEST_USERNAME: usize = 150;
/// As in Django.
const LONGEST_EMAIL: usize = 254;

pub(crate) async fn create(config: &AccountConfig) -> anyhow::Result<()> {
    telemetry::init(&config.telemetry.clone().or_filter("warn"))?;
    check_username(&config.username)?;
    check_email(&config.email)?;
    let password = read_password(config.password_stdin)?;
    check_password(&password)?;
    let (store, place) = open(config).await?;
    let password_hash = tokio::task::spawn_blocking(move || password::hash(&password)).await?;
    let account = NewAccount {
        username: config.username.clone(),
        email: config.email.clone(),
        password_hash,
        profile_types: config.profile_types.clone(),
    };
    let id = store.create_account(&account).await.with_context(|| format!("making the account in {place}"))?;
    let username = &config.username;
    let id = id.ok_or_else(|| refused("USERNAME", &format!("`{username}` is taken in {place}; choose another")))?;
    println!("Account {id} for `{username}` is made in {place}.");
    Ok(())
}

/// The store, and what to call it.
async fn open(config: &AccountConfig) -> anyhow::Result<(Arc<dyn AccountStore>, String)> {
    if let Some(url) = &config.authz_database_url {
        let store = PgAccounts::connect_lazy(url.expose());
        let store = store.map_err(|error| refused("AUTHZ_DATABASE_URL", &error.to_string()))?;
        return Ok((Arc::new(store), "Postgres".to_owned()));
    }
    let folder = DataFolder::open(&config.data)?;
    // SQLite lets two processes write in turn, so a natter may be running here.
    let store = SqliteStore::open(&folder.store()).await.map_err(|error| folder.damaged(error))?;
    folder.finish_first_start().map_err(|error| folder.damaged(error))?;
    Ok((Arc::new(store), folder.path().display().to_string()))
}

fn read_password(from_stdin: bool) -> anyhow::Result<String> {
    if !from_stdin && io::stdin().is_terminal() {
        let password = rpassword::prompt_password("Password: ").context("asking for the password")?;
        let again = rpassword::prompt_password("Password again: ").context("asking for the password")?;
        if password != again {
            return Err(refused("PASSWORD", "the two were not the same; try again").into());
        }
        return Ok(password);
    }
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).context("reading the password from standard input")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn check_username(username: &str) -> Result<(), Misconfigured> {
    let allowed = |c: char| c.is_alphanumeric() || "@.+-_".contains(c);
    if username.is_empty() || username.chars().count() > LONGEST_USERNAME || !username.chars().all(allowed) {
        let text = format!("a username has 1 to {LONGEST_USERNAME} letters, digits or `@.+-_`, and nothing else");
        return Err(refused("USERNAME", &text));
    }
    Ok(())
}

fn check_email(email: &str) -> Result<(), Misconfigured> {
    let is_address = match email.split_once('@') {
        Some((name, domain)) => !name.is_empty() && !domain.is_empty() && !email.contains(char::is_whitespace),
        None => email.is_empty(),
    };
    if !is_address || email.len() > LONGEST_EMAIL || email.contains('\0') {
        return Err(refused("--email", "this is no e-mail address; it looks like name@example.com"));
    }
    Ok(())
}

fn check_password(password: &str) -> Result<(), Misconfigured> {
    if password.chars().count() < SHORTEST_PASSWORD {
        let text = format!("it is too short; a password has at least {SHORTEST_PASSWORD} characters");
        return Err(refused("PASSWORD", &text));
    }
    // Logging in takes these off, so such a password would never be right.
    if text::strip(password) != password {
        return Err(refused("PASSWORD", "it begins or ends with a space; choose one that does not"));
    }
    Ok(())
}

fn refused(what: &str, why: &str) -> Misconfigured {
    Misconfigured::new(what, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_not_log_in_are_refused() {
        for good in ["ana", "Jürgen", "a.b+c-d_e@f", &"x".repeat(150)] {
            assert!(check_username(good).is_ok(), "{good}");
        }
        for bad in ["", " ana", "a b", "a\0", "a/b", &"x".repeat(151)] {
            assert!(check_username(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_email_may_be_left_out_but_not_be_nonsense() {
        for good in ["", "ana@example.com"] {
            assert!(check_email(good).is_ok(), "{good}");
        }
        for bad in ["ana", "@example.com", "ana@", "a na@example.com"] {
            assert!(check_email(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_password_is_long_enough_and_survives_stripping() {
        for good in ["password", "pässwörd", "pass word"] {
            assert!(check_password(good).is_ok(), "{good}");
        }
        for bad in ["", "1234567", "ääääääa", " password", "password\t"] {
            assert!(check_password(bad).is_err(), "{bad}");
        }
    }
}
