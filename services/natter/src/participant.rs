//! `natter participant remove`.

use std::time::Duration;

use anyhow::{Context as _, bail};
use natter_host::exit::Misconfigured;
use natter_host::telemetry;
use natter_model::id::ConversationId;
use natter_model::timestamp::Timestamp;
use natter_store::rights::Removal;
use tokio::time::{self, Instant};

use crate::accounts::{self, Accounts};
use crate::cli::RemoveConfig;

/// As long as the removal is remembered: an edge that was cut off from authz for longer than that has no sockets left.
const MEMORY: Duration = Duration::from_secs(30 * 24 * 3600);
/// Longest wait until authz has told the log.
const PATIENCE: Duration = Duration::from_secs(10);
/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(crate) async fn remove(config: &RemoveConfig) -> anyhow::Result<()> {
    telemetry::init(&config.telemetry.clone().or_filter("warn"))?;
    let refused = || Misconfigured::new("--conversation", "this is no id of a conversation");
    let conversation = ConversationId::new(config.conversation).ok_or_else(refused)?;
    let store = accounts::open(&config.accounts).await?;
    let account = accounts::find(&*store, &config.account).await?;
    let removal = store.remove_participant(conversation, account.id, Timestamp::now().after(MEMORY)).await;
    let name = format!("`{}` ({})", account.username, account.id);
    let change_id = match removal.context("removing the participant")? {
        Removal::Done { change_id } | Removal::Before { change_id } => change_id,
        Removal::NoParticipant => {
            let trouble = format!("{name} does not take part in conversation {conversation}");
            return Err(Misconfigured::new("--account", trouble).into());
        }
    };
    if !is_announced(&*store, change_id).await? {
        bail!(
            "{name} takes part in conversation {conversation} no longer, but open sockets may still be served: within \
             {PATIENCE:?} nobody has told the log. It will be told as soon as authz (or natter) runs and reaches it; run \
             this again to wait for that"
        );
    }
    println!("{name} takes part in conversation {conversation} no longer, and gets nothing that is said from now on.");
    Ok(())
}

async fn is_announced(store: &dyn Accounts, change_id: u64) -> anyhow::Result<bool> {
    let deadline = Instant::now() + PATIENCE;
    let mut ticks = time::interval(LOOK_EVERY);
    loop {
        ticks.tick().await;
        if store.is_announced(change_id).await.context("waiting for the log to be told")? {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
    }
}
