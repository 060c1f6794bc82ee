//! A place that keys come from, read again and again. What it last gave stays good while it gives nothing.

use std::path::PathBuf;

use natter_host::exit::Misconfigured;
use natter_identity::jwks::{self, Jwks, Origin};
use natter_identity::key::{Algorithm, VerifyingKey};
use tokio::fs;
use tracing::{info, warn};

use crate::fetch::Fetcher;
use crate::key_file::KeyFile;
use crate::metrics;

/// A place, and what it last gave.
pub(crate) struct Source {
    place: Place,
    keys: Vec<VerifyingKey>,
    /// What was read last, so that an unchanged file costs nothing.
    content: Vec<u8>,
    /// It has given keys.
    pub(crate) has_given: bool,
    /// Why it gives none now.
    pub(crate) trouble: Option<String>,
}

/// Where keys are.
pub(crate) enum Place {
    /// One key in a file.
    KeyFile(KeyFile),
    /// A key set in a file, where RSA keys that do not tell their algorithm are for this one.
    JwksFile(PathBuf, Algorithm),
    /// A key set behind a URL, likewise.
    JwksUrl(Fetcher, Algorithm),
}

impl Source {
    /// A place that nobody has looked at.
    pub(crate) fn new(place: Place) -> Self {
        Self { place, keys: Vec::new(), content: Vec::new(), has_given: false, trouble: None }
    }

    /// The keys it last gave.
    pub(crate) fn keys(&self) -> &[VerifyingKey] {
        &self.keys
    }

    /// Is it looked at over a network?
    pub(crate) fn is_remote(&self) -> bool {
        matches!(self.place, Place::JwksUrl(..))
    }

    /// Looks whether it has other keys by now.
    pub(crate) async fn look(&mut self) -> Changed {
        let read = match &self.place {
            Place::KeyFile(KeyFile { path, .. }) | Place::JwksFile(path, _) => {
                fs::read(path).await.map_err(|error| error.to_string())
            }
            Place::JwksUrl(fetcher, _) => fetcher.get().await.map(Into::into).map_err(|error| error.to_string()),
        };
        match read {
            Ok(content) if content == self.content && self.trouble.is_none() => Changed::No,
            Ok(content) => match self.parse(&content) {
                Ok(found) => self.take(found, content),
                Err(trouble) => self.keep(trouble),
            },
            Err(trouble) => self.keep(trouble),
        }
    }

    /// Reads a file before anything runs. Does not wait for a network.
    pub(crate) fn read_at_start(&mut self) -> Result<(), Misconfigured> {
        let (setting, path) = match &self.place {
            Place::KeyFile(KeyFile { path, .. }) => ("VERIFYING_KEYS", path.clone()),
            Place::JwksFile(path, _) => ("JWKS_FILE", path.clone()),
            Place::JwksUrl(..) => return Ok(()),
        };
        let content = std::fs::read(&path).map_err(|error| {
            Misconfigured::new(setting, format!("cannot read {}: {error}; name a readable file", path.display()))
        })?;
        let refused = |trouble| Misconfigured::new(setting, format!("cannot use {}: {trouble}", path.display()));
        let found = self.parse(&content).map_err(refused)?;
        self.take(found, content);
        Ok(())
    }

    /// Goes on with what was read now.
    fn take(&mut self, Jwks { keys, passed_over }: Jwks, content: Vec<u8>) -> Changed {
        let place = self.name();
        if !passed_over.is_empty() {
            warn!(place, keys = passed_over.join("; "), "some keys cannot be used");
        }
        if self.trouble.take().is_some() {
            info!(place, "keys can be read again");
        }
        let changed = if content == self.content { Changed::No } else { Changed::Yes };
        (self.keys, self.content, self.has_given) = (keys, content, true);
        changed
    }

    fn parse(&self, content: &[u8]) -> Result<Jwks, String> {
        match &self.place {
            Place::KeyFile(file) => {
                let key = file.parse(content.to_vec()).map_err(|error| error.to_string())?;
                Ok(Jwks { keys: vec![key], passed_over: Vec::new() })
            }
            Place::JwksFile(_, rsa) => jwks::parse(content, Origin::File, *rsa).map_err(|error| error.to_string()),
            Place::JwksUrl(_, rsa) => jwks::parse(content, Origin::Public, *rsa).map_err(|error| error.to_string()),
        }
    }

    /// Goes on with what was read before.
    fn keep(&mut self, trouble: String) -> Changed {
        metrics::failed();
        if self.trouble.as_ref() != Some(&trouble) {
            let n_keys = self.keys.len();
            warn!(place = self.name(), error = trouble, n_keys, "no keys can be read; those read before stay good");
        }
        self.trouble = Some(trouble);
        Changed::No
    }

    fn name(&self) -> String {
        match &self.place {
            Place::KeyFile(KeyFile { path, .. }) | Place::JwksFile(path, _) => path.display().to_string(),
            Place::JwksUrl(fetcher, _) => fetcher.url().to_string(),
        }
    }
}

/// Did a look bring other keys?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Changed {
    /// They are as before.
    No,
    /// They are not.
    Yes,
}
