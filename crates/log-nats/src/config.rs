//! Settings of whoever talks to NATS.

use std::fmt;
use std::fs::File;
use std::path::PathBuf;

use natter_host::exit::Misconfigured;
use natter_host::secret::{Secret, read_file};

use crate::access::Access;
use crate::jetstream::JetStream;

/// Where NATS is, and who this program is there.
#[derive(Debug, Clone, clap::Args)]
pub struct NatsConfig {
    /// NATS servers that hold the log, such as `nats://host:4222` or `tls://host:4222`, with commas between them.
    #[arg(long = "nats-url", env = "NATS_URL", hide_env_values = true, default_value = "nats://127.0.0.1:4222")]
    pub url: Secret,
    /// Seed (`SU…`) of the NATS user that this program is. Without one it is nobody, or who the URL says.
    #[arg(long = "nats-nkey", env = "NATS_NKEY", hide_env_values = true, conflicts_with = "nkey_file")]
    pub nkey: Option<Secret>,
    /// File that holds the seed instead, as Kubernetes mounts secrets. One line break at its end does not count.
    #[arg(long = "nats-nkey-file", env = "NATS_NKEY_FILE")]
    pub nkey_file: Option<PathBuf>,
    /// File with the certificates (PEM) that the servers' own are checked against, if the URL says `tls://`. Without it
    /// those of the system.
    #[arg(long = "nats-ca-file", env = "NATS_CA_FILE")]
    pub ca_file: Option<PathBuf>,
}

impl NatsConfig {
    /// The log in it. Returns at once, and connects from then on. `client` is as in [`Access::at`].
    pub async fn connect(&self, client: &'static str) -> Result<JetStream, Misconfigured> {
        JetStream::connect(&self.access(client)?).await.map_err(|error| Misconfigured::new("NATS_URL", error))
    }

    /// How this client gets into it, with a seed and certificates that can be read.
    pub fn access(&self, client: &'static str) -> Result<Access, Misconfigured> {
        let access = Access::at(self.url.expose(), client).roots(self.roots()?);
        access.seed(self.seed()?).map_err(|error| self.seed_refused(error))
    }

    /// The seed, if one is given.
    fn seed(&self) -> Result<Option<String>, Misconfigured> {
        if let Some(seed) = &self.nkey {
            return Ok(Some(seed.expose().to_owned()));
        }
        let Some(path) = &self.nkey_file else { return Ok(None) };
        String::from_utf8(read_file("NATS_NKEY_FILE", path)?).map(Some).map_err(|error| self.seed_refused(error))
    }

    /// The seed was given, and is no good.
    fn seed_refused(&self, why: impl fmt::Display) -> Misconfigured {
        let setting = if self.nkey.is_some() { "NATS_NKEY" } else { "NATS_NKEY_FILE" };
        Misconfigured::new(setting, format!("{why}; `deploy/make-secrets` makes good ones"))
    }

    /// The file with the certificates, which can be read.
    fn roots(&self) -> Result<Option<PathBuf>, Misconfigured> {
        if let Some(path) = &self.ca_file {
            File::open(path).map_err(|error| {
                let trouble = format!("cannot read {}: {error}; name a readable file", path.display());
                Misconfigured::new("NATS_CA_FILE", trouble)
            })?;
        }
        Ok(self.ca_file.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Demo {
        #[command(flatten)]
        nats: NatsConfig,
    }

    fn config(arguments: &[&str]) -> NatsConfig {
        Demo::try_parse_from([&["demo"], arguments].concat()).unwrap().nats
    }

    #[test]
    fn the_seed_may_come_from_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "SUA\n").unwrap();
        let path = file.path().to_str().unwrap();
        assert_eq!(config(&["--nats-nkey-file", path]).seed().unwrap().as_deref(), Some("SUA"));
        assert_eq!(config(&["--nats-nkey", "SUB"]).seed().unwrap().as_deref(), Some("SUB"));
        assert_eq!(config(&[]).seed().unwrap(), None);
        assert!(Demo::try_parse_from(["demo", "--nats-nkey", "SUB", "--nats-nkey-file", path]).is_err());
    }

    #[test]
    fn a_file_that_is_not_there_is_named_with_its_setting() {
        let config = config(&["--nats-nkey-file", "/nowhere/seed", "--nats-ca-file", "/nowhere/ca"]);
        assert!(config.seed().unwrap_err().to_string().starts_with("NATS_NKEY_FILE: "));
        assert!(config.roots().unwrap_err().to_string().starts_with("NATS_CA_FILE: "));
    }
}
