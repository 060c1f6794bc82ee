//! How the channel layer is set up: the same values as in Django's `CHANNEL_LAYERS`.

use std::time::Duration;

use natter_host::secret::Secret;

/// Which of the two layers of channels_redis Django uses. They do not hear each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerKind {
    /// `channels_redis.core.RedisChannelLayer`: each process has a queue in Redis.
    Core,
    /// `channels_redis.pubsub.RedisPubSubChannelLayer`: nothing is stored.
    PubSub,
}

/// How an event becomes bytes (`serializer_format`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serializer {
    /// msgpack, the library's default.
    Msgpack,
    /// JSON.
    Json,
}

/// A certificate and its key, both PEM.
#[derive(Debug, Clone)]
pub struct ClientCertificate {
    /// The certificate, and those between it and the root.
    pub certificate: Vec<u8>,
    /// Its private key.
    pub key: Secret,
}

/// Everything that must be equal on Django's side and here. [`Default`] has the library's defaults.
#[derive(Debug, Clone)]
pub struct LayerConfig {
    /// Which layer.
    pub kind: LayerKind,
    /// `redis://`, `rediss://` (TLS) or `unix://` addresses in Django's order, which decides where a name lives.
    /// Secret, since they may hold a password.
    pub hosts: Vec<Secret>,
    /// User name for hosts whose address has none.
    pub username: Option<String>,
    /// Password for hosts whose address has none.
    pub password: Option<Secret>,
    /// PEM certificates of the authority that signs the hosts' certificates. `None`: those the system trusts.
    pub authority: Option<Vec<u8>>,
    /// What hosts that ask for a client's certificate are shown.
    pub client_certificate: Option<ClientCertificate>,
    /// First part of every key and channel (`prefix`).
    pub prefix: String,
    /// How long a message waits for its reader (`expiry`). Core only.
    pub expiry: Duration,
    /// How long a member stays in a group without joining again (`group_expiry`). Core only.
    pub group_expiry: Duration,
    /// How many messages may wait for one process (`capacity`). Core only.
    pub capacity: usize,
    /// Random bytes in front of each payload, which make equal messages differ (`random_prefix_length`). Core only.
    pub random_prefix_bytes: usize,
    /// How an event becomes bytes.
    pub serializer: Serializer,
    /// Keys of the encryption: the first one encrypts, all are tried. Empty: no encryption.
    pub symmetric_encryption_keys: Vec<Secret>,
}

impl Default for LayerConfig {
    fn default() -> Self {
        let localhost = "redis://localhost:6379".parse().expect("any text is a secret");
        Self {
            kind: LayerKind::Core,
            hosts: vec![localhost],
            username: None,
            password: None,
            authority: None,
            client_certificate: None,
            prefix: "asgi".to_owned(),
            expiry: Duration::from_secs(60),
            group_expiry: Duration::from_secs(86_400),
            capacity: 100,
            random_prefix_bytes: 12,
            serializer: Serializer::Msgpack,
            symmetric_encryption_keys: Vec::new(),
        }
    }
}
