//! Do Django's ids and Natter's keep out of each other's way?

use anyhow::Context as _;
use natter_host::exit::Misconfigured;
use natter_model::id::MAX_ID;
use natter_store_django::django::{BEFORE_ALL, Django};
use natter_store_django::tables::Part;

use super::target::{SUGGESTED_FIRST, Target};
use super::{failed, number};
use crate::cli::import::ImportConfig;

/// Which of Django's rows are Django's own, and which of them were there when the run began: what is said meanwhile may
/// speak of accounts and conversations that have been passed already.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Ids from here on are Natter's: such rows were written into Django's tables by a mirror.
    pub(super) first: i64,
    /// The last message.
    pub(super) last_message: i64,
    /// A mirror has written into Django's tables.
    pub(super) is_mirrored: bool,
}

impl Limits {
    /// And what is wrong with them, if ids meet, or may meet soon.
    pub(super) async fn find(
        django: &Django,
        target: &Target,
        config: &ImportConfig,
    ) -> anyhow::Result<(Self, Option<Misconfigured>)> {
        let first = i64::try_from(target.log_first.get()).unwrap_or(i64::MAX);
        let is_mirrored = django.has_mirror().await.map_err(failed)?;
        // What lies beyond what an id can be is left, and meets nothing.
        let through = if is_mirrored { first - 1 } else { MAX_ID.cast_signed() };
        let (mut last_message, mut highest, mut what) = (0, 0, "");
        let parts = [(Part::Messages, "message"), (Part::Conversations, "conversation"), (Part::Accounts, "account")];
        for (part, name) in parts {
            let extent = django.extent(part, BEFORE_ALL, through).await.map_err(failed)?;
            if part == Part::Messages {
                last_message = extent.highest;
            }
            if extent.highest > highest {
                (highest, what) = (extent.highest, name);
            }
        }
        let highest = number(highest);
        let is_too_close = highest.saturating_add(config.room) >= target.log_first.get();
        let trouble = match is_too_close {
            true => Some(refusal(target, highest, what, config.room).await?),
            false => None,
        };
        Ok((Self { first, last_message, is_mirrored }, trouble))
    }

    /// Is this the id of a row that Natter's mirror wrote?
    pub(super) fn is_own(&self, id: i64) -> bool {
        id >= self.first && (self.is_mirrored || id <= MAX_ID.cast_signed())
    }
}

async fn refusal(target: &Target, highest: u64, what: &str, room: u64) -> anyhow::Result<Misconfigured> {
    let (first, last) = (target.log_first, target.log_last);
    let meet = match highest >= first.get() {
        true => format!("Natter's log begins at {first}, and Django has given out ids up to {highest} (to a {what})"),
        false => format!(
            "Natter's log begins at {first}, which leaves Django {} ids behind its last, {highest} (of a {what}), and \
             --room asks for {room}",
            first.get() - 1 - highest
        ),
    };
    let past = SUGGESTED_FIRST.max((highest + room).next_power_of_two());
    let is_new = last.get() + 1 == first.get();
    let highest_stored = target.messages.highest().await.context("asking the store how far it is")?;
    let is_empty = is_new && highest_stored < first;
    let (setting, mend) = match (target.is_folder, is_empty) {
        (true, _) => ("NATTER_DATA", "import into a new folder: its log will begin behind them".to_owned()),
        (false, true) => {
            ("NATS_URL", format!("the log is empty, so `natter repair --past {}` makes it begin behind them", past - 1))
        }
        (false, false) => (
            "NATS_URL",
            format!("import into a new Natter whose log was made with `natter provision --first-sequence {past}`"),
        ),
    };
    Ok(Misconfigured::new(setting, format!("{meet}; {mend}")))
}
