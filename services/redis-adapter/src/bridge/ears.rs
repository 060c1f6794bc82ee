//! What is heard from Natter's log as it happens: reason to look, and who types.

use std::time::Duration;

use natter_host::backoff::Backoff;
use natter_log::port::{Heard, Log};
use natter_model::event::{Body, Entry, Signal};
use tokio::sync::Notify;
use tracing::warn;

use super::members::Members;
use super::typing::Way;

/// What adapters call themselves together: a signal goes to one of them.
const NAME: &str = "redis-adapter";
/// Pauses before the next attempt to listen.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Listens for ever: wakes whoever walks the log when there is something new, and passes signals on.
pub(crate) async fn listen(log: &dyn Log, woken: &Notify, members: &Members, typing: &Way<Signal>) {
    let mut backoff = Backoff::between(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        match log.follow_all(NAME).await {
            Ok(mut feed) => {
                backoff.reset();
                woken.notify_one();
                while let Some(heard) = feed.next().await {
                    match heard {
                        Heard::Entry(entry, _) => {
                            woken.notify_one();
                            take_note(&entry, members).await;
                        }
                        Heard::Signal(signal) => typing.send(signal),
                        Heard::Interrupted => woken.notify_one(),
                    }
                }
            }
            Err(error) => {
                if backoff.is_fresh() {
                    warn!(%error, "cannot hear what happens at Natter");
                }
            }
        }
        backoff.wait().await;
    }
}

async fn take_note(entry: &Entry, members: &Members) {
    if let Body::ConversationDeleted | Body::ParticipantRemoved = entry.event.body {
        members.forget(entry.event.conversation).await;
    }
}
