//! What stands in Redis for an event: serialized, perhaps encrypted, and with the core layer a random prefix in front.

use serde_json::Value;

use super::config::{LayerConfig, LayerKind, Serializer};
use super::error::Unreadable;
use super::event::GroupEvent;
use super::fernet::{self, Age, FernetKey};
use super::json;
use super::msgpack::{self, Head};
use super::source::Source;

/// The key under which the core layer says for which channels a message is.
const CHANNELS: &str = "__asgi_channel__";

/// More is no chat event: daphne takes no larger frame.
const MAX_BYTES: usize = 1024 * 1024;

/// What the core library allows a token beyond `expiry`.
const GRACE_SECONDS: u64 = 10;

/// Makes payloads and reads them.
#[derive(Debug)]
pub(crate) struct Codec {
    kind: LayerKind,
    serializer: Serializer,
    keys: Vec<FernetKey>,
    prefix_bytes: usize,
    max_age_seconds: u64,
}

/// What a payload says.
#[derive(Debug, PartialEq)]
pub(crate) enum Opened {
    /// Natter wrote it.
    Ours,
    /// Somebody else wrote it.
    Theirs {
        /// What they say.
        event: GroupEvent,
        /// The channels it is for. Pub/sub: none.
        channels: Vec<String>,
    },
}

impl Codec {
    pub(crate) fn new(config: &LayerConfig) -> Self {
        let prefix_bytes = match config.kind {
            LayerKind::Core => config.random_prefix_bytes,
            LayerKind::PubSub => 0,
        };
        Self {
            kind: config.kind,
            serializer: config.serializer,
            keys: config.symmetric_encryption_keys.iter().map(|key| FernetKey::new(key.expose())).collect(),
            prefix_bytes,
            max_age_seconds: config.expiry.as_secs() + GRACE_SECONDS,
        }
    }

    /// The payload for these channels of one process, or with pub/sub for all who listen.
    pub(crate) fn seal(&self, event: &GroupEvent, channels: &[&str], source: Source) -> Vec<u8> {
        let text = match self.kind {
            LayerKind::Core => {
                let event = event.clone().with(CHANNELS, channels.to_vec());
                match self.serializer {
                    Serializer::Msgpack => msgpack::encode(&event, Head::Narrow),
                    Serializer::Json => json::encode(&event),
                }
            }
            // Everybody hears it, Natter too: so it is marked.
            LayerKind::PubSub => match self.serializer {
                Serializer::Msgpack => msgpack::encode(event, Head::Wide),
                Serializer::Json => json::mark(json::encode(event)),
            },
        };
        let text = match self.keys.first() {
            Some(key) => key.encrypt(&text, source.now() as u64, source.iv()),
            None => text,
        };
        let mut payload = source.random_prefix(self.prefix_bytes);
        payload.extend(text);
        payload
    }

    /// What a payload says.
    pub(crate) fn open(&self, payload: &[u8], source: Source) -> Result<Opened, Unreadable> {
        if payload.len() > MAX_BYTES {
            return Err(Unreadable::TooLarge);
        }
        let text = payload.get(self.prefix_bytes..).ok_or(Unreadable::Truncated)?;
        if self.keys.is_empty() {
            return self.read(text);
        }
        let age = match self.kind {
            LayerKind::Core => Some(Age { now: source.now() as u64, max_seconds: self.max_age_seconds }),
            LayerKind::PubSub => None,
        };
        self.read(&fernet::decrypt(&self.keys, text, age)?)
    }

    fn read(&self, text: &[u8]) -> Result<Opened, Unreadable> {
        let mut event = match self.serializer {
            Serializer::Msgpack => msgpack::decode(text)?,
            Serializer::Json => json::decode(text)?,
        };
        if self.kind == LayerKind::PubSub {
            let is_ours = match self.serializer {
                Serializer::Msgpack => msgpack::head(text) == Head::Wide,
                Serializer::Json => json::is_marked(text),
            };
            return Ok(if is_ours { Opened::Ours } else { Opened::Theirs { event, channels: Vec::new() } });
        }
        let channels = match event.take(CHANNELS) {
            Some(Value::String(channel)) => vec![channel],
            Some(Value::Array(channels)) => {
                channels.into_iter().filter_map(|channel| channel.as_str().map(str::to_owned)).collect()
            }
            _ => Vec::new(),
        };
        Ok(Opened::Theirs { event, channels })
    }
}
