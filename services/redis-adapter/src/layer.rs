//! The channel layer of channels_redis, as another process of Django's would use it.
//!
//! Groups are joined and left, events of Natter's log are written into them once and in order, and what others write
//! comes out of the [`Inbox`].

pub mod config;
mod delivery;
mod ear;
pub mod error;
pub mod event;
mod fernet;
mod hosts;
pub mod inbox;
mod json;
mod lease;
mod members;
mod msgpack;
mod names;
mod payload;
mod source;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::join_all;
use natter_model::id::Position;
use redis::{Pipeline, cmd};

use config::{LayerConfig, LayerKind};
use delivery::{Copy, Delivery, Parcel, is_wrong_type};
use error::{Garbage, LayerError};
use event::GroupMessage;
use hosts::Host;
use inbox::Inbox;
use members::{Members, Queues};
use names::{Names, ProcessId};
use payload::Codec;
use source::Source;

/// An entry of the log on its way into Redis.
#[derive(Debug, Clone)]
pub struct Positioned {
    /// Where it stands in the log.
    pub position: Position,
    /// What Django shall hear. `None`: nothing, but the position moves on.
    pub message: Option<GroupMessage>,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Published {
    /// Messages that are in Redis now and were not before.
    pub written: usize,
    /// Messages that another adapter, or an earlier try, had written.
    pub already: usize,
    /// Copies for single processes that were dropped since their queue is full, as the library drops them.
    pub over_capacity: usize,
    /// Groups and queues that cannot be written to, since their key holds something else.
    pub garbage: Vec<Garbage>,
}

/// The channel layer. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Layer {
    shared: Arc<Shared>,
}

/// What the layer and the ears of its inbox have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    kind: LayerKind,
    hosts: Vec<Host>,
    members: Members,
    codec: Codec,
    delivery: Delivery,
    source: Source,
}

impl Layer {
    /// Reads the settings and starts to listen. Redis need not be there yet: the inbox tells when it is.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn open(config: &LayerConfig) -> Result<(Self, Inbox), LayerError> {
        let layer = Self::quiet(config, ProcessId::random(), Source::System)?;
        let inbox = Inbox::open(&layer.shared);
        Ok((layer, inbox))
    }

    /// One that does not listen.
    fn quiet(config: &LayerConfig, process: ProcessId, source: Source) -> Result<Self, LayerError> {
        let hosts = hosts::open(config)?;
        let names = Names::new(&config.prefix, hosts.len());
        let shared = Shared {
            kind: config.kind,
            codec: Codec::new(config),
            delivery: Delivery::new(config, &names),
            members: Members { names, process, group_expiry: config.group_expiry.as_secs() },
            hosts,
            source,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Up to where the log is in Redis, on each of its hosts and whoever wrote it. `None`: Redis does not know (first
    /// start, or it came back empty).
    pub async fn position(&self) -> Result<Option<Position>, LayerError> {
        Ok(self.positions().await?.into_iter().flatten().min())
    }

    /// Says that everything up to here is done, on hosts that know no position. Returns what holds now; with two
    /// adapters starting at once, both get the same.
    pub async fn start_at(&self, position: Position) -> Result<Position, LayerError> {
        let mut command = cmd("HSETNX");
        command.arg(self.position_key()).arg("position").arg(position.get());
        self.ask_all::<redis::Value>(&command).await?;
        Ok(self.position().await?.unwrap_or(position))
    }

    /// What each host knows.
    async fn positions(&self) -> Result<Vec<Option<Position>>, LayerError> {
        let mut command = cmd("HGET");
        command.arg(self.position_key()).arg("position");
        let positions = self.ask_all::<Option<u64>>(&command).await?;
        Ok(positions.into_iter().map(|position| position.map(Position::new)).collect())
    }

    fn position_key(&self) -> String {
        self.shared.members.names.position_key()
    }

    async fn ask_all<T: redis::FromRedisValue>(&self, command: &redis::Cmd) -> Result<Vec<T>, LayerError> {
        let answers = self.shared.hosts.iter().map(|host| async {
            let mut pipeline = Pipeline::new();
            pipeline.add_command(command.clone());
            let answer = host.pipeline(&mut pipeline).await?.pop().expect("one answer to one question");
            answer.map_err(|error| match is_wrong_type(&error) {
                true => LayerError::Foreign { host: host.index, key: self.position_key() },
                false => host.error(error),
            })
        });
        join_all(answers).await.into_iter().collect()
    }

    /// Writes entries of the log, which must come in order and without gaps since [`position`](Self::position).
    ///
    /// Each host takes its part of the batch and the batch's last position in one atomic step, and leaves out what it
    /// already has: a batch that failed, or that another adapter writes too, is simply written again. A few hundred
    /// at once are many: Redis serves nobody else meanwhile.
    pub async fn publish(&self, batch: &[Positioned]) -> Result<Published, LayerError> {
        // Another adapter may be ahead. The script finds that out too, but takes all payloads to do so.
        let complete = self.positions().await?.into_iter().min().flatten();
        let done = batch.partition_point(|entry| Some(entry.position) <= complete);
        let (done, batch) = batch.split_at(done);
        let already = done.iter().filter(|entry| entry.message.is_some()).count();
        if batch.is_empty() {
            return Ok(Published { already, ..Published::default() });
        }
        let entries = batch.iter().map(|entry| (Some(entry.position), entry.message.as_ref()));
        let published = self.deliver(entries).await?;
        Ok(Published { already: already + published.already, ..published })
    }

    /// Writes something that is not in the log. Whoever calls it twice writes it twice.
    pub async fn signal(&self, message: &GroupMessage) -> Result<Published, LayerError> {
        self.deliver([(None, Some(message))].into_iter()).await
    }

    /// Joins groups, or stays in them: call it again well within `group_expiry`. Groups whose key holds something
    /// else come back. Pub/sub hears all groups named `chat_*` without joining.
    pub async fn join(&self, groups: &[String]) -> Result<Vec<Garbage>, LayerError> {
        match self.shared.kind {
            LayerKind::Core => self.shared.members.join(&self.shared.hosts, groups, self.shared.source.now()).await,
            LayerKind::PubSub => Ok(Vec::new()),
        }
    }

    /// Leaves groups. Groups whose key holds something else come back.
    pub async fn leave(&self, groups: &[String]) -> Result<Vec<Garbage>, LayerError> {
        match self.shared.kind {
            LayerKind::Core => self.shared.members.leave(&self.shared.hosts, groups).await,
            LayerKind::PubSub => Ok(Vec::new()),
        }
    }

    async fn deliver(
        &self,
        entries: impl Iterator<Item = (Option<Position>, Option<&GroupMessage>)> + Clone,
    ) -> Result<Published, LayerError> {
        let Shared { kind, hosts, members, source, delivery, .. } = &*self.shared;
        let now = source.now();
        let mut garbage = Vec::new();
        let groups = entries.clone().filter_map(|(_, message)| Some(message?.group.as_str()));
        let queues = match kind {
            LayerKind::Core => members.of(hosts, groups, now, &mut garbage).await?,
            LayerKind::PubSub => HashMap::new(),
        };
        let parcels: Vec<Parcel> = entries
            .map(|(position, message)| match message {
                Some(message) => self.parcel(position, message, &queues),
                None => Parcel { position, home: None, copies: Vec::new() },
            })
            .collect();
        let mut published = delivery.run(hosts, &parcels, now).await?;
        published.garbage.extend(garbage);
        Ok(published)
    }

    fn parcel(&self, position: Option<Position>, message: &GroupMessage, queues: &HashMap<&str, Queues>) -> Parcel {
        let Shared { kind, members, codec, source, .. } = &*self.shared;
        let GroupMessage { group, event } = message;
        match kind {
            LayerKind::Core => {
                let copy = |(queue, channels): &(names::Place, Vec<String>)| {
                    let channels: Vec<&str> = channels.iter().map(String::as_str).collect();
                    Copy { to: queue.clone(), payload: codec.seal(event, &channels, *source) }
                };
                let copies = queues.get(group.as_str()).into_iter().flatten().map(copy).collect();
                Parcel { position, home: Some(members.names.group_key(group).host), copies }
            }
            LayerKind::PubSub => {
                let to = members.names.group_channel(group);
                let home = Some(to.host);
                Parcel { position, home, copies: vec![Copy { to, payload: codec.seal(event, &[], *source) }] }
            }
        }
    }
}
