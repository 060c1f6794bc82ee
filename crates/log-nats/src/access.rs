//! How to get into NATS: where its servers are, and who asks.

use std::path::PathBuf;
use std::str::FromStr as _;

use async_nats::{ConnectOptions, ServerAddr};

/// Why a URL is not one of NATS servers.
#[derive(Debug, thiserror::Error)]
#[error("not the URL of a NATS server (nats://host:port, several with commas): {0}")]
pub struct BadUrl(pub(crate) String);

/// Why a text is not the seed of a NATS user.
#[derive(Debug, thiserror::Error)]
#[error("not the seed of a NATS user (SU…): {0}")]
pub struct BadSeed(String);

/// Where NATS is, and who asks there.
#[derive(Clone)]
pub struct Access {
    url: String,
    client: &'static str,
    seed: Option<String>,
    roots: Option<PathBuf>,
}

impl Access {
    /// The servers at `url`: `nats://[user:password@]host:port`, or `tls://`, several with commas. `client` is the name
    /// that NATS shows for the connection, and that of its inbox `_INBOX.<client>`: with rights of its own to that, no
    /// client hears the answers that others get.
    pub fn at(url: &str, client: &'static str) -> Self {
        Self { url: url.to_owned(), client, seed: None, roots: None }
    }

    /// Logs in with the NKEY that this seed stands for.
    pub fn seed(mut self, seed: Option<String>) -> Result<Self, BadSeed> {
        if let Some(seed) = &seed {
            nkeys::KeyPair::from_seed(seed).map_err(|error| BadSeed(error.to_string()))?;
        }
        self.seed = seed;
        Ok(self)
    }

    /// Believes the certificates in this PEM file instead of the system's, where the URL asks for TLS.
    pub fn roots(mut self, file: Option<PathBuf>) -> Self {
        self.roots = file;
        self
    }

    pub(crate) fn options(&self) -> ConnectOptions {
        let options = ConnectOptions::new()
            .name(format!("natter-{}", self.client))
            .custom_inbox_prefix(format!("_INBOX.{}", self.client));
        let options = match &self.seed {
            Some(seed) => options.nkey(seed.clone()),
            None => options,
        };
        match &self.roots {
            Some(file) => options.add_root_certificates(file.clone()),
            None => options,
        }
    }

    pub(crate) fn servers(&self) -> Result<Vec<ServerAddr>, BadUrl> {
        self.url.split(',').map(server).collect()
    }
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URL may hold a password.
        f.debug_struct("Access").field("client", &self.client).finish_non_exhaustive()
    }
}

fn server(url: &str) -> Result<ServerAddr, BadUrl> {
    let address = ServerAddr::from_str(url.trim()).map_err(|error| BadUrl(error.to_string()))?;
    if address.host().is_empty() { Err(BadUrl("no host is given".to_owned())) } else { Ok(address) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_may_name_several_servers() {
        let servers = Access::at("nats://a:4222, tls://user:secret@b", "test").servers().expect("these are URLs");
        assert_eq!(servers.iter().map(ServerAddr::host).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn a_url_of_something_else_is_refused_and_not_repeated() {
        let refused = Access::at("http://user:secret@host", "test").servers().expect_err("this is no NATS server");
        assert!(!refused.to_string().contains("secret"), "{refused}");
        assert!(Access::at("", "test").servers().is_err());
    }

    #[test]
    fn a_seed_is_checked_at_once_and_not_repeated() {
        let access = Access::at("nats://a", "test");
        let seed = nkeys::KeyPair::new_user().seed().expect("a new key has one");
        assert!(!format!("{:?}", access.clone().seed(Some(seed.clone())).expect("it is one")).contains(&seed));
        let refused = access.seed(Some(seed.to_lowercase())).expect_err("that is none");
        assert!(!refused.to_string().contains(&seed.to_lowercase()), "{refused}");
    }
}
