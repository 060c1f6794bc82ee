//! Who types: told while it happens, or not at all.

use std::sync::Arc;
use std::time::Duration;

use natter_log::port::Log;
use natter_model::event::Signal;
use tokio::sync::{mpsc, watch};
use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::inward::Said;
use super::members::Members;
use super::outward;
use crate::layer::Layer;
use crate::metrics;

/// Signals that may wait. Beyond it the newest are left out.
const QUEUE: usize = 256;
/// Older ones are no longer true.
const TRUE_FOR: Duration = Duration::from_secs(2);
/// What adapters that hear the same call the right to tell of it.
const EAR: &str = "ear";
/// How long that right holds: as long as nobody tells who types at Django after an adapter was killed.
const HOLD: Duration = Duration::from_secs(2);
/// How often it is asked for.
const HOLD_EVERY: Duration = Duration::from_millis(500);

/// A way for signals, on which nobody waits.
pub(crate) struct Way<T>(mpsc::Sender<(Instant, T)>);

/// The other end of it.
pub(crate) struct Signals<T>(mpsc::Receiver<(Instant, T)>);

/// Both ends.
pub(crate) fn way<T>() -> (Way<T>, Signals<T>) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    (Way(sender), Signals(receiver))
}

impl<T> Way<T> {
    /// Never waits.
    pub(crate) fn send(&self, signal: T) {
        if self.0.try_send((Instant::now(), signal)).is_err() {
            metrics::skipped("signal_dropped", 1);
        }
    }
}

impl<T> Signals<T> {
    /// The next one that is still true. `None`: there will be no more.
    async fn next(&mut self) -> Option<T> {
        loop {
            let (since, signal) = self.0.recv().await?;
            if since.elapsed() < TRUE_FOR {
                return Some(signal);
            }
            metrics::skipped("signal_dropped", 1);
        }
    }
}

/// Tells Django's clients who types at Natter.
pub(crate) async fn tell_django(layer: &Layer, mut signals: Signals<Signal>) {
    while let Some(signal) = signals.next().await {
        let Some(message) = outward::signal(&signal) else { continue };
        match layer.signal(&message).await {
            Ok(published) => metrics::published(&published),
            Err(error) => {
                debug!(%error, "Django is not told who types");
                metrics::skipped("signal_dropped", 1);
            }
        }
    }
}

/// Tells Natter's clients who types at Django, while this adapter has the right to.
pub(crate) async fn tell_natter(
    log: &Arc<dyn Log>,
    members: &Members,
    is_mine: watch::Receiver<bool>,
    mut signals: Signals<Said>,
) {
    while let Some(said) = signals.next().await {
        if !*is_mine.borrow() {
            metrics::duplicate();
            continue;
        }
        let actor = match members.find(said.conversation, &said.username).await {
            Ok(Some(actor)) => actor,
            Ok(None) => {
                metrics::skipped("not_a_participant", 1);
                continue;
            }
            Err(error) => {
                debug!(%error, "Natter is not told who types");
                metrics::skipped("signal_dropped", 1);
                continue;
            }
        };
        let Some(signal) = said.signal(actor) else { continue };
        match log.signal(&signal).await {
            Ok(()) => metrics::relayed(),
            Err(error) => {
                debug!(%error, "Natter is not told who types");
                metrics::skipped("signal_dropped", 1);
            }
        }
    }
}

/// Holds the right to tell Natter who types, if no other adapter does: all of them hear the same. Gives it back when
/// `drain` is cancelled.
pub(crate) async fn hold_the_ear(layer: &Layer, is_mine: watch::Sender<bool>, drain: &CancellationToken) {
    let holding = async {
        let mut ticks = time::interval(HOLD_EVERY);
        ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // It ends in Redis a moment later than here.
            let held = time::timeout(HOLD / 2, layer.hold(EAR, HOLD)).await;
            let held = matches!(held, Ok(Ok(true)));
            if is_mine.send_replace(held) != held {
                info!(held, "telling Natter who types at Django");
            }
        }
    };
    drain.run_until_cancelled(holding).await;
    is_mine.send_replace(false);
    // If it fails, the right ends by itself.
    let _ = time::timeout(HOLD, layer.release(EAR)).await;
}
