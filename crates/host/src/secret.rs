//! Settings that must not be seen.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::str::FromStr;

use crate::exit::Misconfigured;

/// A text that no log, panic or help page shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Where the key that tokens are signed with comes from.
#[derive(Debug, Clone, clap::Args)]
pub struct SigningKeyConfig {
    /// Key that tokens are signed with: at least 32 bytes, the same for edge and authz.
    #[arg(long, env = "SIGNING_KEY", hide_env_values = true, conflicts_with = "signing_key_file")]
    pub signing_key: Option<Secret>,
    /// File that holds the key instead, as Kubernetes mounts secrets. One line break at its end does not count.
    #[arg(long, env = "SIGNING_KEY_FILE")]
    pub signing_key_file: Option<PathBuf>,
}

impl SigningKeyConfig {
    /// The key's bytes. `None`: neither setting is given.
    pub fn read(&self) -> Result<Option<Vec<u8>>, Misconfigured> {
        if let Some(key) = &self.signing_key {
            return Ok(Some(key.expose().as_bytes().to_vec()));
        }
        let Some(path) = &self.signing_key_file else { return Ok(None) };
        let mut bytes = fs::read(path).map_err(|error| {
            Misconfigured::new(
                "SIGNING_KEY_FILE",
                format!("cannot read {}: {error}; name a readable file", path.display()),
            )
        })?;
        if bytes.ends_with(b"\n") {
            bytes.pop();
            if bytes.ends_with(b"\r") {
                bytes.pop();
            }
        }
        Ok(Some(bytes))
    }

    /// The key was given, and is no good.
    pub fn refused(&self, why: impl fmt::Display) -> Misconfigured {
        let setting = if self.signing_key.is_some() { "SIGNING_KEY" } else { "SIGNING_KEY_FILE" };
        Misconfigured::new(setting, format!("{why}; `openssl rand -hex 32` makes a good one"))
    }

    /// The key's bytes, where there must be one.
    pub fn require(&self) -> Result<Vec<u8>, Misconfigured> {
        self.read()?.ok_or_else(|| {
            Misconfigured::new(
                "SIGNING_KEY",
                "is not set; give it (or SIGNING_KEY_FILE) the key that tokens are signed with",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_break_at_the_end_of_the_file_is_no_part_of_the_key() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let config = SigningKeyConfig { signing_key: None, signing_key_file: Some(file.path().to_owned()) };
        for (written, key) in [("abc", "abc"), ("abc\n", "abc"), ("abc\r\n", "abc"), ("abc\n\n", "abc\n")] {
            fs::write(file.path(), written).unwrap();
            assert_eq!(config.read().unwrap().unwrap(), key.as_bytes());
        }
    }

    #[test]
    fn a_secret_does_not_show_itself() {
        let config = SigningKeyConfig { signing_key: Some("hush".parse().unwrap()), signing_key_file: None };
        assert!(!format!("{config:?}").contains("hush"));
    }
}
