//! The settings that say whose tokens are good. The same in every program that reads tokens.

use std::path::PathBuf;
use std::time::Duration;

use natter_host::exit::Misconfigured;
use natter_host::secret::{self, Secret};
use natter_identity::claims::USER_ID;
use natter_identity::key::{Algorithm, KeyError, MIN_SECRET_BYTES, SigningKey};
use natter_identity::verifier::VerifierSettings;

use crate::fetch::JwksUrl;
use crate::key_file::KeyFile;

/// Whose tokens are good, and what they must say.
#[derive(Debug, Clone, clap::Args)]
pub struct TokenConfig {
    /// Key that tokens are signed with. With HS256, HS384 or HS512 a secret of at least 32 bytes, the same for edge and
    /// authz (Django's SECRET_KEY, or simplejwt's SIGNING_KEY); otherwise a private key in PEM form, which only authz
    /// needs.
    #[arg(
        long,
        env = "SIGNING_KEY",
        hide_env_values = true,
        allow_hyphen_values = true,
        conflicts_with = "signing_key_file"
    )]
    pub signing_key: Option<Secret>,
    /// File that holds the key instead, as Kubernetes mounts secrets. One line break at its end does not count.
    #[arg(long, env = "SIGNING_KEY_FILE")]
    pub signing_key_file: Option<PathBuf>,
    /// Algorithm of the signing key: HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or EdDSA.
    /// HS256 is simplejwt's default. Each key verifies tokens of its own algorithm only.
    #[arg(long, env = "SIGNING_ALGORITHM", default_value_t = Algorithm::HS256)]
    pub signing_algorithm: Algorithm,
    /// Name of the signing key, which tokens then carry as `kid`. Without one they carry none, as with simplejwt.
    #[arg(long, env = "SIGNING_KID")]
    pub signing_kid: Option<String>,
    /// Takes a secret under 32 bytes, for a Django that has one: whoever holds a token can guess it offline.
    #[arg(long, env = "ALLOW_SHORT_KEY", default_value_t = false)]
    pub allow_short_key: bool,
    /// More keys whose tokens are good, as `ALGORITHM:FILE` or `KID=ALGORITHM:FILE` with commas between them, such as
    /// `RS256:/keys/public.pem,old=HS256:/keys/old-secret`. Read again within 2 seconds of a change.
    #[arg(long, env = "VERIFYING_KEYS", value_delimiter = ',')]
    pub verifying_keys: Vec<KeyFile>,
    /// File with a JSON Web Key Set whose keys are good too. Read again within 2 seconds of a change.
    #[arg(long, env = "JWKS_FILE")]
    pub jwks_file: Option<PathBuf>,
    /// URL of a JSON Web Key Set whose keys are good too, `https://` or, inside a network that is trusted, `http://`. The
    /// keys last read stay good while it is away.
    #[arg(long, env = "JWKS_URL")]
    pub jwks_url: Option<JwksUrl>,
    /// Seconds between two looks at JWKS_URL, and so the longest that a key stays good which was taken out of it. A token
    /// with an unknown `kid` makes it look at once, at most every 2 seconds.
    #[arg(long, env = "JWKS_REFRESH_SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(5..))]
    pub jwks_refresh_seconds: u64,
    /// File with certificates (PEM) of those who may vouch for the server of JWKS_URL, besides the public authorities.
    #[arg(long, env = "JWKS_CA_FILE", requires = "jwks_url")]
    pub jwks_ca_file: Option<PathBuf>,
    /// What a token's `iss` must be. Without it `iss` is not looked at.
    #[arg(long, env = "TOKEN_ISSUER")]
    pub token_issuer: Option<String>,
    /// What a token's `aud` must name. Without it `aud` is not looked at.
    #[arg(long, env = "TOKEN_AUDIENCE")]
    pub token_audience: Option<String>,
    /// Seconds that the clocks of those who sign may differ from ours. 0, as with simplejwt: they are kept in step.
    #[arg(long, env = "TOKEN_LEEWAY_SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=3600))]
    pub token_leeway_seconds: u32,
    /// Claim that names the account by its id, as text or number: simplejwt's USER_ID_CLAIM.
    #[arg(long, env = "TOKEN_USER_CLAIM", default_value = USER_ID)]
    pub token_user_claim: String,
}

impl TokenConfig {
    /// The key that tokens are signed with. `None`: neither SIGNING_KEY nor SIGNING_KEY_FILE is given.
    pub fn signing_key(&self) -> Result<Option<SigningKey>, Misconfigured> {
        let Some(bytes) = self.signing_bytes()? else { return Ok(None) };
        let algorithm = self.signing_algorithm;
        let key = if algorithm.is_shared() {
            self.secret(algorithm, &bytes)
        } else {
            SigningKey::pem(algorithm, &bytes).map_err(|error| self.refused(error))
        }?;
        Ok(Some(self.named(key)))
    }

    /// The same where there must be one.
    pub fn require_signing_key(&self) -> Result<SigningKey, Misconfigured> {
        self.signing_key()?.ok_or_else(|| {
            let trouble = "is not set; give it (or SIGNING_KEY_FILE) the key that tokens are signed with";
            Misconfigured::new("SIGNING_KEY", trouble)
        })
    }

    /// The key under the name it is given.
    pub fn named(&self, key: SigningKey) -> SigningKey {
        match &self.signing_kid {
            Some(kid) => key.named(kid),
            None => key,
        }
    }

    /// What tokens must say.
    pub fn verifier_settings(&self) -> VerifierSettings {
        VerifierSettings {
            leeway_seconds: self.token_leeway_seconds,
            audience: self.token_audience.clone(),
            issuer: self.token_issuer.clone(),
            user_claim: self.token_user_claim.clone(),
        }
    }

    pub(crate) fn jwks_refresh(&self) -> Duration {
        Duration::from_secs(self.jwks_refresh_seconds)
    }

    fn signing_bytes(&self) -> Result<Option<Vec<u8>>, Misconfigured> {
        if let Some(key) = &self.signing_key {
            return Ok(Some(key.expose().as_bytes().to_vec()));
        }
        let Some(path) = &self.signing_key_file else { return Ok(None) };
        secret::read_file("SIGNING_KEY_FILE", path).map(Some)
    }

    fn secret(&self, algorithm: Algorithm, bytes: &[u8]) -> Result<SigningKey, Misconfigured> {
        if bytes.len() < MIN_SECRET_BYTES && (bytes.is_empty() || !self.allow_short_key) {
            return Err(self.refused(KeyError::TooShort));
        }
        SigningKey::hmac_with(algorithm, bytes).map_err(|error| self.refused(error))
    }

    fn refused(&self, error: KeyError) -> Misconfigured {
        let setting = if self.signing_key.is_some() { "SIGNING_KEY" } else { "SIGNING_KEY_FILE" };
        let algorithm = self.signing_algorithm;
        let mend = match error {
            KeyError::TooShort => "`openssl rand -hex 32` makes a good one".to_owned(),
            _ => format!("it is read for SIGNING_ALGORITHM {algorithm}"),
        };
        Misconfigured::new(setting, format!("{error}; {mend}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(Debug, clap::Parser)]
    struct Program {
        #[command(flatten)]
        tokens: TokenConfig,
    }

    fn config(arguments: &[&str]) -> TokenConfig {
        Program::try_parse_from([&["program"], arguments].concat()).unwrap().tokens
    }

    fn refusal(arguments: &[&str]) -> String {
        config(arguments).signing_key().unwrap_err().to_string()
    }

    #[test]
    fn a_key_does_not_show_itself() {
        let config = config(&["--signing-key", "hush, this is a secret of 32 bytes"]);
        assert!(!format!("{config:?} {:?}", config.signing_key()).contains("hush"));
    }

    #[test]
    fn a_key_that_is_no_good_is_refused_by_the_name_of_its_setting() {
        assert!(refusal(&["--signing-key", "tiny"]).starts_with("SIGNING_KEY: "));
        assert!(refusal(&["--signing-key", "", "--allow-short-key"]).contains("shorter"));
        assert!(config(&["--signing-key", "tiny", "--allow-short-key"]).signing_key().unwrap().is_some());
        let public = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----";
        assert!(refusal(&["--signing-key", public]).contains("no shared secret"));
        let text = refusal(&["--signing-key", public, "--signing-algorithm", "ES256"]);
        assert!(text.contains("PEM") && text.contains("ES256"), "{text}");
        let text = refusal(&["--signing-key-file", "/nowhere/key"]);
        assert!(text.starts_with("SIGNING_KEY_FILE: ") && text.contains("/nowhere/key"), "{text}");
        assert!(config(&[]).require_signing_key().unwrap_err().to_string().starts_with("SIGNING_KEY: "));
    }

    #[test]
    fn an_algorithm_that_is_not_there_is_refused() {
        for algorithm in ["none", "ES512", "hs256"] {
            let refused = Program::try_parse_from(["program", "--signing-algorithm", algorithm]).unwrap_err();
            assert!(refused.to_string().contains("--signing-algorithm"), "{refused}");
        }
    }
}
