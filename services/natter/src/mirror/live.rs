//! Going on whatever is away for a while.

use std::time::Duration;

use natter_host::backoff::Backoff;
use natter_host::exit::Misconfigured;
use natter_host::readiness::Readiness;
use natter_log::port::{Feed, Heard};
use natter_model::id::Position;
use natter_store_django::database::Access;
use natter_store_django::django::Django;
use natter_store_django::error::DjangoError;
use tokio::time::{Instant, timeout};
use tracing::info;

use super::source::{FIRST_PAUSE, LONGEST_PAUSE, Source};
use super::trouble::{DJANGO, NEEDS, Trouble};
use super::walk::{Begin, Walk};
use super::{TO, open_django, refuse_if_ids_would_meet};
use crate::cli::mirror::MirrorConfig;

/// Time between two looks at the log while nothing is heard of it.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Time between two looks at what no record tells.
const TEND_EVERY: Duration = Duration::from_secs(5);

/// Time between two lines that tell how far it is.
const TELL_EVERY: Duration = Duration::from_secs(30);

/// Who follows everything under one name shares the signals, which a mirror has no use for.
const NAME: &str = "mirror";

/// When it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// When it is told to.
    Stopped,
    /// When everything is in Django's tables.
    Done,
    /// Likewise, and Django goes on alone.
    Finished,
}

impl Until {
    pub(super) fn of(config: &MirrorConfig) -> Self {
        match (config.finish, config.once) {
            (true, _) => Self::Finished,
            (false, true) => Self::Done,
            (false, false) => Self::Stopped,
        }
    }
}

/// A mirror that goes on.
pub(super) struct Live<'c> {
    pub(super) config: &'c MirrorConfig,
    pub(super) source: Source,
    pub(super) until: Until,
    pub(super) readiness: &'c Readiness,
}

impl Live<'_> {
    /// Until it has done what it shall. Dropped, it is stopped: no row is lost or half written.
    pub(super) async fn run(&self) -> anyhow::Result<()> {
        let django = self.django().await?;
        refuse_if_ids_would_meet(&django, self.until)?;
        let mut begin = if self.config.from_start { Begin::AtTheStart } else { Begin::WhereItWas };
        let mut backoff = Backoff::between(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            let trouble = match Walk::begin(&self.source, &django, begin).await {
                Ok(walk) => {
                    begin = Begin::WhereItWas;
                    NEEDS.iter().for_each(|need| self.readiness.ready(need));
                    match self.go(walk, &mut backoff).await {
                        Ok(()) => return Ok(()),
                        Err(trouble) => trouble,
                    }
                }
                Err(trouble) => trouble,
            };
            let Some(need) = trouble.need() else { return Err(Misconfigured::new(TO, trouble).into()) };
            self.readiness.waiting(need, trouble);
            backoff.wait().await;
        }
    }

    /// Waits until its tables can be looked at.
    async fn django(&self) -> anyhow::Result<Django> {
        let mut backoff = Backoff::between(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            let error = match open_django(self.config, Access::Write).await {
                Ok(django) => return Ok(django),
                Err(error) => error,
            };
            if !matches!(error.downcast_ref(), Some(DjangoError::Unavailable(_))) {
                return Err(error);
            }
            self.readiness.waiting(DJANGO, format!("{error:#}"));
            backoff.wait().await;
        }
    }

    async fn go(&self, mut walk: Walk<'_>, backoff: &mut Backoff) -> Result<(), Trouble> {
        let mut feed = None;
        let (mut tended, mut told) = (Instant::now(), Instant::now());
        loop {
            // Before it looks, so that nothing falls in between.
            if feed.is_none() && self.until == Until::Stopped {
                feed = Some(self.source.log.follow_all(NAME).await?);
            }
            let is_moving = walk.step().await?;
            if is_moving {
                backoff.reset();
            } else if self.until != Until::Stopped {
                return self.end(walk).await;
            }
            if tended.elapsed() >= TEND_EVERY {
                walk.tend().await?;
                tended = Instant::now();
            }
            if told.elapsed() >= TELL_EVERY {
                let (at, behind) = (walk.at(), walk.behind().await?);
                info!(position = %at, behind, "everything up to here is in Django's tables");
                told = Instant::now();
            }
            if !is_moving
                && let Some(heard) = &mut feed
                && !is_followed(heard).await
            {
                feed = None;
            }
        }
    }

    async fn end(&self, walk: Walk<'_>) -> Result<(), Trouble> {
        match self.until {
            Until::Finished => {
                let at = walk.finish().await?;
                println!("Everything that was said in Natter is in Django's tables, up to {at}.");
                println!("Django's own ids go on behind it. The mirror is finished.");
            }
            Until::Done | Until::Stopped => {
                let at: Position = walk.at();
                println!("Everything that was said in Natter is in Django's tables, up to {at}.");
            }
        }
        Ok(())
    }
}

/// Waits until something has happened that stands in the log, or may have. `false`: the feed has ended.
async fn is_followed(feed: &mut Feed) -> bool {
    let happened = async {
        loop {
            match feed.next().await {
                Some(Heard::Signal(_)) => {}
                Some(Heard::Entry(..) | Heard::Interrupted) => return true,
                None => return false,
            }
        }
    };
    timeout(LOOK_EVERY, happened).await.unwrap_or(true)
}
