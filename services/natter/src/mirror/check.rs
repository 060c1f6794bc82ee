//! `natter mirror-django --check`: Django's rows of what was said in Natter beside Natter's own.

mod compare;
mod findings;
mod rooms;

use std::time::Duration;

use anyhow::{Context as _, bail};
use natter_host::exit::Misconfigured;
use natter_host::readiness::Readiness;
use natter_model::id::Position;
use natter_store_django::database::Access;
use natter_store_django::django::Django;
use tokio_util::sync::CancellationToken;

use super::source::Source;
use super::{TO, open_django};
use crate::cli::mirror::MirrorConfig;
use findings::Findings;

/// Looks at what differs: people go on chatting, and one of the two sides may just have been ahead.
const LOOKS: u32 = 5;

/// Between two of them.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) async fn run(config: &MirrorConfig) -> anyhow::Result<()> {
    let django = open_django(config, Access::Read).await?;
    let source = Source::open(config, &Readiness::new(&[], CancellationToken::new())).await?;
    let check = Check { django, source };
    let through = check.through().await?;
    let behind = check.source.log.last().await.context("asking the log where it ends")?.get() - through.get();
    println!("Comparing up to {through}, where the mirror is; {behind} records stand behind that in the log.");
    let mut findings = Findings::default();
    check.compare_all(through, &mut findings).await?;
    for _ in 1..LOOKS {
        if findings.n_differences() == 0 {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        check.look_again(&mut findings).await?;
    }
    findings.say();
    match findings.n_differences() {
        0 => Ok(()),
        1 => bail!("Django's tables differ from what Natter has in one place"),
        n => bail!("Django's tables differ from what Natter has in {n} places"),
    }
}

/// The two sides.
struct Check {
    django: Django,
    source: Source,
}

impl Check {
    /// Everything up to here is in both.
    async fn through(&self) -> anyhow::Result<Position> {
        let Some(standing) = self.django.mirrored().await.context(TO)? else {
            let trouble = "no mirror has written into these tables; run `natter mirror-django`";
            return Err(Misconfigured::new(TO, trouble).into());
        };
        let floor = self.source.pair.backlog.floor().await.context("asking the log what is stored")?;
        Ok(standing.position.min(floor))
    }
}
