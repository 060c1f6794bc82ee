//! Tells whoever started the program which addresses it got.

use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tracing::info;

use crate::cli::HostConfig;
use crate::exit::Misconfigured;

/// Where a program listens, as it stands in the file of `--addresses-file`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// Where it serves.
    pub listen: SocketAddr,
    /// Where it answers probes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ops: Option<SocketAddr>,
}

impl Addresses {
    /// Logs them, and writes them to the file of [`HostConfig::addresses_file`], if one is named.
    pub fn announce(&self, config: &HostConfig) -> Result<(), Misconfigured> {
        info!(address = %self.listen, version = env!("CARGO_PKG_VERSION"), "listening");
        if let Some(ops) = self.ops {
            info!(address = %ops, "answering probes");
        }
        let Some(path) = &config.addresses_file else { return Ok(()) };
        self.write(path).map_err(|error| {
            Misconfigured::new("ADDRESSES_FILE", format!("cannot write {}: {error}; name another", path.display()))
        })
    }

    /// Writes them as a JSON object. Whoever sees the file sees all of it.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer(&mut file, self)?;
        file.flush()?;
        fs::rename(file.into_temp_path().keep()?, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("addresses.json");
        let addresses = Addresses { listen: "127.0.0.1:1234".parse().unwrap(), ops: None };
        addresses.write(&path).unwrap();
        addresses.write(&path).unwrap();
        assert_eq!(serde_json::from_slice::<Addresses>(&fs::read(&path).unwrap()).unwrap(), addresses);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left behind");
    }
}
