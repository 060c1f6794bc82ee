//! The knobs of the adapter.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use natter_host::cli::HostConfig;
use natter_host::exit::Misconfigured;
use natter_host::nats::NatsConfig;
use natter_host::peer::PeerConfig;
use natter_host::secret::{Secret, read_file};

use crate::layer::config::{ClientCertificate, LayerConfig, LayerKind, Serializer};

/// What the program can be told.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "natter-redis-adapter", version, about = "Natter in the conversations of a Django Channels chat")]
pub struct AdapterConfig {
    /// Address for probes: /livez and /readyz. Port 0 takes a free one. The adapter has no other port.
    #[arg(long, env = "REDIS_ADAPTER_OPS_LISTEN", default_value = "0.0.0.0:9093")]
    pub ops_listen: SocketAddr,
    /// Where the log is.
    #[command(flatten)]
    pub nats: NatsConfig,
    /// Where authz serves gRPC.
    #[arg(long, env = "AUTHZ_URL", default_value = "http://127.0.0.1:50051")]
    pub authz_url: String,
    /// Where persistence serves gRPC. Asked once, when the adapter starts.
    #[arg(long, env = "PERSISTENCE_URL", default_value = "http://127.0.0.1:50052")]
    pub persistence_url: String,
    /// How their addresses are kept.
    #[command(flatten)]
    pub peers: PeerConfig,
    /// The channel layer.
    #[command(flatten)]
    pub channels: ChannelsConfig,
    /// What every program has.
    #[command(flatten)]
    pub host: HostConfig,
}

/// The channel layer, as it stands in Django's `CHANNEL_LAYERS`: everything must be equal on both sides.
#[derive(Debug, Clone, clap::Args)]
pub struct ChannelsConfig {
    /// Redis hosts in Django's order, with commas between them: `redis://`, `rediss://` (TLS) or `unix://`.
    #[arg(long, env = "REDIS_URLS", hide_env_values = true, default_value = "redis://127.0.0.1:6379")]
    pub redis_urls: Secret,
    /// Username for hosts whose URL has none.
    #[arg(long, env = "REDIS_USERNAME")]
    pub redis_username: Option<String>,
    /// Password for hosts whose URL has none.
    #[arg(long, env = "REDIS_PASSWORD", hide_env_values = true, conflicts_with = "redis_password_file")]
    pub redis_password: Option<Secret>,
    /// File that holds the password instead, as Kubernetes mounts secrets. One line break at its end does not count.
    #[arg(long, env = "REDIS_PASSWORD_FILE")]
    pub redis_password_file: Option<PathBuf>,
    /// File with the certificates (PEM) that the hosts' own are checked against, with `rediss://`. Without it those of
    /// the system.
    #[arg(long, env = "REDIS_CA_FILE")]
    pub redis_ca_file: Option<PathBuf>,
    /// File with the certificate (PEM) that is shown to hosts that ask for one.
    #[arg(long, env = "REDIS_CERTIFICATE_FILE", requires = "redis_certificate_key_file")]
    pub redis_certificate_file: Option<PathBuf>,
    /// File with its private key (PEM).
    #[arg(long, env = "REDIS_CERTIFICATE_KEY_FILE", requires = "redis_certificate_file")]
    pub redis_certificate_key_file: Option<PathBuf>,
    /// Which layer of channels_redis Django uses. They do not hear each other.
    #[arg(long, env = "CHANNEL_LAYER", value_enum, default_value_t = KindOption::Core)]
    pub channel_layer: KindOption,
    /// First part of every key (`prefix`).
    #[arg(long, env = "CHANNEL_PREFIX", default_value = "asgi")]
    pub channel_prefix: String,
    /// Seconds that a message waits for its reader (`expiry`). After an outage, what is older is told only as far as
    /// CHANNEL_CAPACITY goes.
    #[arg(long, env = "CHANNEL_EXPIRY_SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    pub channel_expiry_seconds: u32,
    /// Seconds that a member stays in a group (`group_expiry`). The adapter joins again well before.
    #[arg(long, env = "CHANNEL_GROUP_EXPIRY_SECONDS", default_value_t = 86_400, value_parser = clap::value_parser!(u32).range(4..))]
    pub channel_group_expiry_seconds: u32,
    /// Messages that may wait for one process (`capacity`).
    #[arg(long, env = "CHANNEL_CAPACITY", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub channel_capacity: u32,
    /// How an event becomes bytes (`serializer_format`).
    #[arg(long, env = "CHANNEL_SERIALIZER", value_enum, default_value_t = SerializerOption::Msgpack)]
    pub channel_serializer: SerializerOption,
    /// Random bytes in front of each payload (`random_prefix_length`).
    #[arg(long, env = "CHANNEL_RANDOM_PREFIX_BYTES", default_value_t = 12)]
    pub channel_random_prefix_bytes: usize,
    /// Keys of the encryption (`symmetric_encryption_keys`) with commas between them: the first one encrypts.
    #[arg(long, env = "CHANNEL_KEYS", hide_env_values = true, conflicts_with = "channel_keys_file")]
    pub channel_keys: Option<Secret>,
    /// File that holds the keys instead, one per line.
    #[arg(long, env = "CHANNEL_KEYS_FILE")]
    pub channel_keys_file: Option<PathBuf>,
}

/// See [`ChannelsConfig::channel_layer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum KindOption {
    /// `channels_redis.core.RedisChannelLayer`.
    Core,
    /// `channels_redis.pubsub.RedisPubSubChannelLayer`.
    Pubsub,
}

/// See [`ChannelsConfig::channel_serializer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum SerializerOption {
    /// The library's default.
    Msgpack,
    /// JSON.
    Json,
}

impl ChannelsConfig {
    /// The layer that is described. Reads the files that are named.
    pub fn layer(&self) -> Result<LayerConfig, Misconfigured> {
        Ok(LayerConfig {
            kind: match self.channel_layer {
                KindOption::Core => LayerKind::Core,
                KindOption::Pubsub => LayerKind::PubSub,
            },
            hosts: secrets(self.redis_urls.expose(), ','),
            username: self.redis_username.clone(),
            password: self.password()?,
            authority: self.redis_ca_file.as_deref().map(|path| read_file("REDIS_CA_FILE", path)).transpose()?,
            client_certificate: self.client_certificate()?,
            prefix: self.channel_prefix.clone(),
            expiry: Duration::from_secs(self.channel_expiry_seconds.into()),
            group_expiry: Duration::from_secs(self.channel_group_expiry_seconds.into()),
            capacity: self.channel_capacity as usize,
            random_prefix_bytes: self.channel_random_prefix_bytes,
            serializer: match self.channel_serializer {
                SerializerOption::Msgpack => Serializer::Msgpack,
                SerializerOption::Json => Serializer::Json,
            },
            symmetric_encryption_keys: self.encryption_keys()?,
        })
    }

    fn password(&self) -> Result<Option<Secret>, Misconfigured> {
        let Some(path) = &self.redis_password_file else { return Ok(self.redis_password.clone()) };
        let text = read_text("REDIS_PASSWORD_FILE", path)?;
        Ok(secrets(text.lines().next().unwrap_or_default(), '\n').pop())
    }

    fn encryption_keys(&self) -> Result<Vec<Secret>, Misconfigured> {
        match (&self.channel_keys, &self.channel_keys_file) {
            (Some(keys), _) => Ok(secrets(keys.expose(), ',')),
            (None, Some(path)) => Ok(secrets(&read_text("CHANNEL_KEYS_FILE", path)?, '\n')),
            (None, None) => Ok(Vec::new()),
        }
    }

    fn client_certificate(&self) -> Result<Option<ClientCertificate>, Misconfigured> {
        let (Some(certificate), Some(key)) = (&self.redis_certificate_file, &self.redis_certificate_key_file) else {
            return Ok(None);
        };
        Ok(Some(ClientCertificate {
            certificate: read_file("REDIS_CERTIFICATE_FILE", certificate)?,
            key: secret(&read_text("REDIS_CERTIFICATE_KEY_FILE", key)?),
        }))
    }
}

fn secret(text: &str) -> Secret {
    text.parse().expect("any text is a secret")
}

fn secrets(text: &str, separator: char) -> Vec<Secret> {
    text.split(separator).map(str::trim).filter(|part| !part.is_empty()).map(secret).collect()
}

fn read_text(setting: &str, path: &Path) -> Result<String, Misconfigured> {
    String::from_utf8(read_file(setting, path)?)
        .map_err(|_| Misconfigured::new(setting, format!("{} is no text; name another file", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn layer(arguments: &[&str]) -> Result<LayerConfig, Misconfigured> {
        let all = [&["natter-redis-adapter"], arguments].concat();
        AdapterConfig::try_parse_from(all).expect("the arguments are known").channels.layer()
    }

    fn exposed(secrets: &[Secret]) -> Vec<&str> {
        secrets.iter().map(Secret::expose).collect()
    }

    #[test]
    fn without_settings_it_is_the_library_with_its_defaults() {
        let (layer, library) = (layer(&[]).unwrap(), LayerConfig::default());
        assert_eq!((layer.kind, layer.prefix, layer.capacity), (library.kind, library.prefix, library.capacity));
        assert_eq!((layer.expiry, layer.group_expiry), (library.expiry, library.group_expiry));
        assert_eq!(layer.random_prefix_bytes, library.random_prefix_bytes);
        assert_eq!(layer.serializer, library.serializer);
        assert!(layer.symmetric_encryption_keys.is_empty() && layer.password.is_none());
    }

    #[test]
    fn hosts_and_keys_keep_their_order() {
        let layer = layer(&["--redis-urls", "redis://a, rediss://b", "--channel-keys", "new,old"]).unwrap();
        assert_eq!(exposed(&layer.hosts), ["redis://a", "rediss://b"]);
        assert_eq!(exposed(&layer.symmetric_encryption_keys), ["new", "old"]);
    }

    #[test]
    fn secrets_may_come_from_files() {
        let (password, keys) = (tempfile::NamedTempFile::new().unwrap(), tempfile::NamedTempFile::new().unwrap());
        std::fs::write(password.path(), "hush, hush\n").unwrap();
        std::fs::write(keys.path(), "new\nold\n").unwrap();
        let path = |file: &tempfile::NamedTempFile| file.path().to_str().unwrap().to_owned();
        let arguments = ["--redis-password-file", &path(&password), "--channel-keys-file", &path(&keys)];
        let layer = layer(&arguments).unwrap();
        assert_eq!(layer.password.unwrap().expose(), "hush, hush");
        assert_eq!(exposed(&layer.symmetric_encryption_keys), ["new", "old"]);
        let missing = layer_error(&["--redis-ca-file", "/nowhere"]);
        assert!(missing.starts_with("REDIS_CA_FILE: cannot read /nowhere"), "{missing}");
    }

    fn layer_error(arguments: &[&str]) -> String {
        layer(arguments).expect_err("it cannot be read").to_string()
    }
}
