//! The keys in use: read when the program starts, and again while it runs.

use std::time::Duration;

use natter_host::exit::Misconfigured;
use natter_identity::key::{Algorithm, SigningKey, VerifyingKey};
use natter_identity::key_set::KeySet;
use natter_identity::verifier::{Verifier, VerifierSettings};
use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::TokenConfig;
use crate::fetch::Fetcher;
use crate::metrics;
use crate::source::{Changed, Place, Source};
use crate::tokens::{Look, Tokens};

/// Time between two looks at files, and the least between two looks at a URL, whoever asks for one.
pub(crate) const BETWEEN_LOOKS: Duration = Duration::from_secs(2);

/// Reads keys and hands them to all [`Tokens`]. There is one in a program.
pub struct Keys {
    fixed: Vec<VerifyingKey>,
    sources: Vec<Source>,
    settings: VerifierSettings,
    refresh: Duration,
    tokens: Tokens,
}

impl Keys {
    /// The keys of a program that signs with `signing`, or of one that does not. Files are read now, a URL is not.
    pub fn open(config: &TokenConfig, signing: Option<&SigningKey>) -> Result<Self, Misconfigured> {
        metrics::describe();
        // simplejwt, too, has one algorithm for all keys of a set.
        let rsa = Some(config.signing_algorithm).filter(|algorithm| algorithm.is_rsa()).unwrap_or(Algorithm::RS256);
        let mut sources: Vec<_> = config.verifying_keys.iter().cloned().map(Place::KeyFile).collect();
        sources.extend(config.jwks_file.clone().map(|path| Place::JwksFile(path, rsa)));
        if let Some(url) = &config.jwks_url {
            if !url.is_encrypted() {
                warn!(%url, "whoever is on the way to JWKS_URL can replace the keys, and so sign tokens; https:// prevents it");
            }
            sources.push(Place::JwksUrl(Fetcher::new(url.clone(), config.jwks_ca_file.as_deref())?, rsa));
        }
        let fixed: Vec<_> = signing.map(|key| key.verifying_key().clone()).into_iter().collect();
        if fixed.is_empty() && sources.is_empty() {
            let trouble = "is not set; give it (or SIGNING_KEY_FILE) the key that tokens are signed with, or say by \
                           VERIFYING_KEYS, JWKS_FILE or JWKS_URL whose tokens are good";
            return Err(Misconfigured::new("SIGNING_KEY", trouble));
        }
        let mut sources: Vec<_> = sources.into_iter().map(Source::new).collect();
        sources.iter_mut().try_for_each(Source::read_at_start)?;
        let settings = config.verifier_settings();
        let first = Verifier::with_keys(KeySet::default(), settings.clone());
        let tokens = Tokens::new(first, Look::first(), !sources.is_empty());
        let keys = Self { fixed, sources, settings, refresh: config.jwks_refresh(), tokens };
        keys.publish();
        keys.told(Instant::now());
        Ok(keys)
    }

    /// Those who ask whether a token is good.
    pub fn tokens(&self) -> Tokens {
        self.tokens.clone()
    }

    /// Reads the keys again and again until `drain` is cancelled.
    pub async fn follow(mut self, drain: CancellationToken) {
        if self.sources.is_empty() {
            drain.cancelled().await;
            return;
        }
        let mut look_at_urls = Instant::now();
        loop {
            let begun = Instant::now();
            let with_urls = begun >= look_at_urls;
            let looking = self.look(with_urls);
            if drain.run_until_cancelled(looking).await.is_none() {
                return;
            }
            self.told(begun);
            if with_urls {
                let is_away = self.sources.iter().any(|source| source.is_remote() && source.trouble.is_some());
                look_at_urls = begun + if is_away { BETWEEN_LOOKS } else { self.refresh };
            }
            let next = begun + BETWEEN_LOOKS;
            tokio::select! {
                () = drain.cancelled() => return,
                () = time::sleep_until(next) => {}
                () = self.tokens.wanted() => {
                    look_at_urls = next;
                    drain.run_until_cancelled(time::sleep_until(next)).await;
                }
            }
        }
    }

    async fn look(&mut self, with_urls: bool) {
        let mut changed = false;
        for source in self.sources.iter_mut().filter(|source| with_urls || !source.is_remote()) {
            changed |= source.look().await == Changed::Yes;
        }
        if changed {
            self.publish();
            info!(n_keys = self.tokens.verifier().keys().len(), "the keys of tokens have changed");
        }
    }

    fn publish(&self) {
        let read = self.sources.iter().flat_map(Source::keys);
        let keys = KeySet::new(self.fixed.iter().chain(read).cloned());
        metrics::keys(keys.len());
        self.tokens.replace(Verifier::with_keys(keys, self.settings.clone()));
    }

    fn told(&self, begun: Instant) {
        let missing = self.sources.iter().find(|source| !source.has_given);
        self.tokens.looked(Look {
            begun,
            missing: missing.map(|source| source.trouble.clone().unwrap_or_else(|| "not read yet".to_owned())),
            is_blind: self.sources.iter().any(|source| source.trouble.is_some()),
        });
    }
}
