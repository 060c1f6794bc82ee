//! Messages on their way into Redis: once and in order, however many adapters write them.
//!
//! Up to where the log is written stands in Redis itself, on each host, and moves in the same atomic step as the
//! messages. An adapter that comes second, or again, finds it moved.

use std::collections::HashMap;

use futures_util::future::join_all;
use natter_model::id::Position;
use redis::{Script, Value};

use super::Published;
use super::config::{LayerConfig, LayerKind};
use super::error::{Garbage, LayerError, Unreadable};
use super::hosts::Host;
use super::names::{Names, Place};

/// A message with its addresses.
#[derive(Debug)]
pub(crate) struct Parcel {
    /// Where it stands in the log. `None`: it is not in there.
    pub(crate) position: Option<Position>,
    /// The host of its group. `None`: nothing is said, the position moves on.
    pub(crate) home: Option<usize>,
    /// What is put where.
    pub(crate) copies: Vec<Copy>,
}

/// A payload and the queue or channel it is for.
#[derive(Debug)]
pub(crate) struct Copy {
    pub(crate) to: Place,
    pub(crate) payload: Vec<u8>,
}

/// Puts parcels where they belong.
#[derive(Debug)]
pub(crate) struct Delivery {
    script: Script,
    mode: &'static str,
    expiry: u64,
    capacity: usize,
    position_key: String,
}

/// What a host's script answers.
struct Answer {
    /// Up to where the log was written before. Empty: unknown.
    known: Option<Position>,
    n_full: usize,
    foreign: Vec<String>,
}

impl Delivery {
    pub(crate) fn new(config: &LayerConfig, names: &Names) -> Self {
        let mode = match config.kind {
            LayerKind::Core => "queue",
            LayerKind::PubSub => "channel",
        };
        Self {
            script: Script::new(include_str!("deliver.lua")),
            mode,
            expiry: config.expiry.as_secs(),
            capacity: config.capacity,
            position_key: names.position_key(),
        }
    }

    /// Gives each host its part. Every host gets the position, also one that gets nothing else: so each one knows up
    /// to where it is complete.
    pub(crate) async fn run(&self, hosts: &[Host], parcels: &[Parcel], now: f64) -> Result<Published, LayerError> {
        let is_log = parcels.iter().any(|parcel| parcel.position.is_some());
        let concerned = hosts.iter().filter(|host| {
            is_log || parcels.iter().flat_map(|parcel| &parcel.copies).any(|copy| copy.to.host == host.index)
        });
        let answers = join_all(concerned.map(|host| self.run_on(host, parcels, now))).await;
        let mut published = Published::default();
        let mut known = HashMap::new();
        for answer in answers {
            let (host, answer) = answer?;
            known.insert(host, answer.known);
            published.over_capacity += answer.n_full;
            let garbage = answer.foreign.into_iter().map(|key| Garbage { key, why: Unreadable::WrongType });
            published.garbage.extend(garbage);
        }
        for parcel in parcels {
            let Some(home) = parcel.home else { continue };
            match (parcel.position, known.get(&home).copied().flatten()) {
                (Some(position), Some(known)) if position <= known => published.already += 1,
                _ => published.written += 1,
            }
        }
        Ok(published)
    }

    async fn run_on(&self, host: &Host, parcels: &[Parcel], now: f64) -> Result<(usize, Answer), LayerError> {
        let mut script = self.script.prepare_invoke();
        script.key(&self.position_key);
        script.arg(self.mode).arg(now.to_string()).arg(self.expiry).arg(self.capacity);
        let mut keys: HashMap<&str, usize> = HashMap::new();
        for parcel in parcels {
            let position = parcel.position.map(|position| position.get().to_string());
            let copies: Vec<&Copy> = parcel.copies.iter().filter(|copy| copy.to.host == host.index).collect();
            script.arg(position.unwrap_or_default()).arg(copies.len());
            for copy in copies {
                // Lua counts from 1, and the position's key is the first.
                let next = keys.len() + 2;
                let number = *keys.entry(&copy.to.name).or_insert_with(|| {
                    script.key(&copy.to.name);
                    next
                });
                script.arg(number).arg(&copy.payload);
            }
        }
        let answer: Vec<Value> = host.script(&script).await.map_err(|error| self.explain(error))?;
        Ok((host.index, Answer::read(&answer)))
    }

    /// Our own key holding something else is for people to solve.
    fn explain(&self, error: LayerError) -> LayerError {
        match error {
            LayerError::Redis { host, error } if is_wrong_type(&error) => {
                LayerError::Foreign { host, key: self.position_key.clone() }
            }
            error => error,
        }
    }
}

/// The key holds another type than the command is for.
pub(crate) fn is_wrong_type(error: &redis::RedisError) -> bool {
    error.code() == Some("WRONGTYPE") || error.detail().is_some_and(|detail| detail.contains("WRONGTYPE"))
}

impl Answer {
    fn read(answer: &[Value]) -> Self {
        let text = |value: &Value| match value {
            Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            _ => String::new(),
        };
        let known = answer.first().map(text).unwrap_or_default();
        Self {
            known: known.parse().ok().map(Position::new),
            n_full: match answer.get(1) {
                Some(Value::Int(n)) => usize::try_from(*n).unwrap_or_default(),
                _ => 0,
            },
            foreign: answer.iter().skip(2).map(text).collect(),
        }
    }
}
