//! The bridge: what happens at Natter is told to Django's clients, and what happens at Django to Natter's.

mod ears;
mod groups;
mod inward;
mod lanes;
mod members;
mod outward;
mod publisher;
mod receiver;
mod recent;
mod typing;

use std::sync::Arc;

use natter_host::calls::Calls;
use natter_log::port::Log;
use natter_model::id::{ConversationId, Position};
use natter_proto::v1::authz_client::AuthzClient;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::layer::Layer;
use crate::layer::config::LayerConfig;
use crate::layer::inbox::Inbox;
use crate::metrics;
use groups::Groups;
use lanes::{Lanes, Relay};
use members::Members;
use publisher::{CatchUp, Publisher};
use receiver::Receiver;
use recent::Recent;

/// Both directions, not running yet. Any number may run side by side.
pub struct Bridge {
    log: Arc<dyn Log>,
    layer: Layer,
    inbox: Inbox,
    members: Members,
    groups: Groups,
    publisher: Publisher,
    recent: Recent,
    first: ConversationId,
    has_overlap: watch::Sender<bool>,
}

impl Bridge {
    /// Between this log, which begins at `first`, and this layer, which was opened with `config`. `authz` knows who takes
    /// part.
    pub fn new(
        log: Arc<dyn Log>,
        authz: Calls,
        (layer, inbox): (Layer, Inbox),
        config: &LayerConfig,
        first: ConversationId,
    ) -> Self {
        metrics::describe();
        let (members, recent) = (Members::new(AuthzClient::new(authz)), Recent::new());
        let groups = Groups::new(layer.clone(), members.clone(), first, config.group_expiry);
        let catch_up = CatchUp { expiry: config.expiry, capacity: config.capacity };
        let publisher = Publisher::new(log.clone(), layer.clone(), recent.clone(), catch_up);
        Self { log, layer, inbox, members, groups, publisher, recent, first, has_overlap: watch::Sender::new(false) }
    }

    /// Resolves once the groups of all conversations are joined for the first time, and what happens at Natter from then on
    /// will be told.
    pub fn has_begun(&self) -> impl Future<Output = ()> + Send + use<> {
        let (mut is_in_all, mut walked) = (self.groups.is_complete(), self.publisher.walked());
        async move {
            // Who drops the senders has ended.
            let _ = is_in_all.wait_for(|is_in_all| *is_in_all).await;
            let _ = walked.wait_for(|walked| *walked > Position::START).await;
        }
    }

    /// Becomes true when Django gives a message an id that is Natter's to give.
    pub fn has_overlap(&self) -> watch::Receiver<bool> {
        self.has_overlap.subscribe()
    }

    /// Runs until `drain` is cancelled. Then it leaves the groups, hears what is in Redis already, and ends once all of it is
    /// in the log; the last part of it in `tasks`.
    pub async fn run(self, drain: CancellationToken, tasks: &TaskTracker) {
        let first = Position::new(self.first.get());
        let (woken, lost_position, lost_groups) = (Notify::new(), Arc::new(Notify::new()), Arc::new(Notify::new()));
        let relay = Relay {
            log: self.log.clone(),
            members: self.members.clone(),
            recent: self.recent,
            first,
            has_overlap: self.has_overlap,
        };
        let lanes = Lanes::open(relay, self.publisher.walked(), tasks);
        let (to_django, from_natter) = typing::way();
        let (to_natter, from_django) = typing::way();
        let receiver = Receiver::new(lanes, to_natter, vec![lost_position.clone(), lost_groups.clone()]);
        let (has_left, leaving) = watch::channel(false);
        let (is_mine, held) = watch::channel(false);
        tokio::join!(
            self.publisher.run(&woken, &lost_position, &drain),
            async {
                self.groups.keep(&lost_groups, &drain).await;
                has_left.send_replace(true);
            },
            receiver.listen(self.inbox, &drain, leaving),
            typing::hold_the_ear(&self.layer, is_mine, &drain),
            typing::tell_natter(&self.log, &self.members, held, from_django),
            async {
                let telling = typing::tell_django(&self.layer, from_natter);
                let listening = ears::listen(&*self.log, &woken, &self.members, &to_django);
                tokio::select! {
                    () = telling => {}
                    () = listening => {}
                    () = drain.cancelled() => {}
                }
            },
        );
    }
}
