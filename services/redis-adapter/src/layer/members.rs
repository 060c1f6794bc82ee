//! Core: who is in a group.

use std::collections::HashMap;

use redis::{Pipeline, RedisResult, Value};

use super::delivery::is_wrong_type;
use super::error::{Garbage, LayerError, Unreadable};
use super::hosts::Host;
use super::names::{Names, Place, ProcessId, is_adapters_channel};

/// Groups that are joined with one write to a host.
const CHUNK: usize = 512;

/// The queues of a group's members, and which channels each one is for, in the order of the library.
pub(crate) type Queues = Vec<(Place, Vec<String>)>;

/// Groups, and the registers of their members.
#[derive(Debug)]
pub(crate) struct Members {
    pub(crate) names: Names,
    pub(crate) process: ProcessId,
    pub(crate) group_expiry: u64,
}

impl Members {
    /// The members of each group, without adapters and without those whose time is over.
    pub(crate) async fn of<'a>(
        &self,
        hosts: &[Host],
        groups: impl Iterator<Item = &'a str>,
        now: f64,
        garbage: &mut Vec<Garbage>,
    ) -> Result<HashMap<&'a str, Queues>, LayerError> {
        let mut asked: HashMap<usize, Vec<(&str, Place)>> = HashMap::new();
        for group in groups {
            let key = self.names.group_key(group);
            let groups = asked.entry(key.host).or_default();
            if !groups.iter().any(|(asked, _)| *asked == group) {
                groups.push((group, key));
            }
        }
        let mut queues = HashMap::new();
        for (host, groups) in asked {
            let oldest = now.floor() - self.group_expiry as f64;
            let mut pipeline = Pipeline::with_capacity(2 * groups.len());
            for (_, key) in &groups {
                pipeline.cmd("ZREMRANGEBYSCORE").arg(&key.name).arg(0).arg(oldest).ignore();
                pipeline.cmd("ZRANGE").arg(&key.name).arg(0).arg(-1);
            }
            let answers = hosts[host].pipeline::<Vec<Vec<u8>>>(&mut pipeline).await?;
            for ((group, key), answer) in groups.into_iter().zip(answers) {
                match answer {
                    Ok(members) => _ = queues.insert(group, self.queues(members, &key, garbage)),
                    Err(error) if is_wrong_type(&error) => {
                        garbage.push(Garbage { key: key.name, why: Unreadable::WrongType });
                    }
                    Err(error) => return Err(hosts[host].error(error)),
                }
            }
        }
        Ok(queues)
    }

    fn queues(&self, members: Vec<Vec<u8>>, key: &Place, garbage: &mut Vec<Garbage>) -> Queues {
        let mut queues: Queues = Vec::new();
        for member in members {
            let Ok(channel) = String::from_utf8(member) else {
                garbage.push(Garbage { key: key.name.clone(), why: Unreadable::Malformed });
                continue;
            };
            if is_adapters_channel(&channel) {
                continue;
            }
            let queue = self.names.queue_key(&channel);
            match queues.iter_mut().find(|(known, _)| *known == queue) {
                Some((_, channels)) => channels.push(channel),
                None => queues.push((queue, vec![channel])),
            }
        }
        queues
    }

    /// Puts this process into the groups. Those whose key holds something else come back.
    pub(crate) async fn join(&self, hosts: &[Host], groups: &[String], now: f64) -> Result<Vec<Garbage>, LayerError> {
        let write = |pipeline: &mut Pipeline, key: &str, channel: &str| {
            pipeline.cmd("ZADD").arg(key).arg(now.to_string()).arg(channel);
            pipeline.cmd("EXPIRE").arg(key).arg(self.group_expiry).ignore();
        };
        self.for_each(hosts, groups, write).await
    }

    /// Takes this process out of the groups.
    pub(crate) async fn leave(&self, hosts: &[Host], groups: &[String]) -> Result<Vec<Garbage>, LayerError> {
        let write = |pipeline: &mut Pipeline, key: &str, channel: &str| {
            pipeline.cmd("ZREM").arg(key).arg(channel);
        };
        self.for_each(hosts, groups, write).await
    }

    async fn for_each(
        &self,
        hosts: &[Host],
        groups: &[String],
        write: impl Fn(&mut Pipeline, &str, &str),
    ) -> Result<Vec<Garbage>, LayerError> {
        let mut places: HashMap<usize, Vec<(String, String)>> = HashMap::new();
        for group in groups {
            let channel = self.process.channel(group).ok_or_else(|| LayerError::Name(group.clone()))?;
            let key = self.names.group_key(group);
            places.entry(key.host).or_default().push((key.name, channel));
        }
        let mut garbage = Vec::new();
        for (host, places) in places {
            for places in places.chunks(CHUNK) {
                let mut pipeline = Pipeline::with_capacity(2 * places.len());
                places.iter().for_each(|(key, channel)| write(&mut pipeline, key, channel));
                let answers: Vec<RedisResult<Value>> = hosts[host].pipeline(&mut pipeline).await?;
                for ((key, _), answer) in places.iter().zip(answers) {
                    match answer {
                        Ok(_) => {}
                        Err(error) if is_wrong_type(&error) => {
                            garbage.push(Garbage { key: key.clone(), why: Unreadable::WrongType });
                        }
                        Err(error) => return Err(hosts[host].error(error)),
                    }
                }
            }
        }
        Ok(garbage)
    }
}
