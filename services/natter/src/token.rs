//! `natter token revoke`.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::time::Duration;

use anyhow::Context as _;
use natter_host::exit::Misconfigured;
use natter_host::telemetry;
use natter_identity::unproven;
use natter_model::timestamp::Timestamp;
use natter_store::rights::{RevokedToken, RevokedTokens};

use crate::accounts::{self, Accounts};
use crate::cli::RevokeConfig;

/// As long as a revocation is remembered where nobody knows when the last of the tokens expires. Browsers keep nothing
/// for longer.
const MEMORY: Duration = Duration::from_secs(400 * 24 * 3600);

const EFFECT: &str = "every edge closes its sockets within a second of hearing of it, and refuses it from then on";

pub(crate) async fn revoke(config: &RevokeConfig) -> anyhow::Result<()> {
    telemetry::init(&config.telemetry.clone().or_filter("warn"))?;
    let token = match (&config.account, &config.jti) {
        (Some(_), _) => None,
        (None, Some(jti)) => Some(RevokedToken { jti: jti.clone(), account: None, expires_at: some_day() }),
        (None, None) => Some(read_token()?),
    };
    let store = accounts::open(&config.accounts).await?;
    match (token, &config.account) {
        (Some(token), _) => revoke_one(&*store, token).await,
        (None, Some(name)) => revoke_all(&*store, name).await,
        (None, None) => Ok(()),
    }
}

async fn revoke_one(store: &dyn Accounts, token: RevokedToken) -> anyhow::Result<()> {
    let jti = &token.jti;
    if store.revoke_token(&token).await.context("revoking the token")? {
        println!("The token {jti} is revoked: {EFFECT}.");
    } else {
        println!("The token {jti} had been revoked before.");
    }
    Ok(())
}

async fn revoke_all(store: &dyn Accounts, name: &str) -> anyhow::Result<()> {
    let account = accounts::find(store, name).await?;
    let issued_up_to_s = Timestamp::now().as_seconds();
    let tokens = RevokedTokens { account: account.id, issued_up_to_s, expires_at: some_day() };
    store.revoke_tokens_of(&tokens).await.context("revoking the tokens")?;
    println!("All tokens of `{}` ({}) until now are revoked: {EFFECT}.", account.username, account.id);
    Ok(())
}

/// Not from the command line, which others on this machine can see.
fn read_token() -> anyhow::Result<RevokedToken> {
    let line = if io::stdin().is_terminal() {
        rpassword::prompt_password("Token: ").context("asking for the token")?
    } else {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).context("reading the token from standard input")?;
        line
    };
    let Some(said) = unproven::read(line.trim()) else {
        let trouble = "standard input holds no token; give one there, or --jti, or --account";
        return Err(Misconfigured::new("TOKEN", trouble).into());
    };
    let expires_at = said.expires_at.unwrap_or_else(some_day);
    Ok(RevokedToken { jti: said.jti, account: said.account, expires_at })
}

fn some_day() -> Timestamp {
    Timestamp::now().after(MEMORY)
}
