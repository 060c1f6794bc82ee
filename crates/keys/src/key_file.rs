//! A key in a file, and what it is for: `RS256:/keys/public.pem`.

use std::path::PathBuf;
use std::str::FromStr;

use natter_host::secret::without_line_break;
use natter_identity::key::{Algorithm, KeyError, MIN_SECRET_BYTES, VerifyingKey};

/// Where a verifying key is. Says its algorithm itself, so that no file can be taken for a key of another kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFile {
    /// The key's name, if tokens have to carry it.
    pub kid: Option<String>,
    /// What the key is for.
    pub algorithm: Algorithm,
    /// A public key in PEM form, or the bytes of a secret.
    pub path: PathBuf,
}

impl FromStr for KeyFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (head, path) = text.split_once(':').filter(|(_, path)| !path.is_empty()).ok_or_else(|| {
            format!("{text:?} is not ALGORITHM:FILE, such as RS256:/keys/public.pem, nor KID=ALGORITHM:FILE")
        })?;
        let (kid, algorithm) = match head.rsplit_once('=') {
            Some((kid, algorithm)) => (Some(kid.to_owned()), algorithm),
            None => (None, head),
        };
        let algorithm = algorithm.parse().map_err(|error: KeyError| format!("{algorithm:?}: {error}"))?;
        Ok(Self { kid, algorithm, path: path.into() })
    }
}

impl KeyFile {
    /// The key that these bytes are.
    pub(crate) fn parse(&self, bytes: Vec<u8>) -> Result<VerifyingKey, KeyError> {
        let key = if self.algorithm.is_shared() {
            let secret = without_line_break(bytes);
            if secret.len() < MIN_SECRET_BYTES {
                return Err(KeyError::TooShort);
            }
            VerifyingKey::hmac(self.algorithm, &secret)
        } else {
            VerifyingKey::pem(self.algorithm, &bytes)
        }?;
        Ok(match &self.kid {
            Some(kid) => key.named(kid),
            None => key,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_says_what_it_is_for() {
        let file: KeyFile = "RS256:/keys/a:b.pem".parse().unwrap();
        assert_eq!((file.kid, file.algorithm.to_string()), (None, "RS256".to_owned()));
        assert_eq!(file.path, PathBuf::from("/keys/a:b.pem"));
        let file: KeyFile = "a=b=HS256:secret".parse().unwrap();
        assert_eq!(file.kid.as_deref(), Some("a=b"));
        for bad in ["", "/keys/a.pem", "RS256", "RS256:", "none:/keys/a", "kid=:/keys/a"] {
            assert!(bad.parse::<KeyFile>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_public_key_is_never_read_as_a_secret() {
        let file: KeyFile = "HS256:x".parse().unwrap();
        let public = b"-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n";
        assert_eq!(file.parse(public.to_vec()).err(), Some(KeyError::PemAsSecret));
        assert_eq!(file.parse(b"short\n".to_vec()).err(), Some(KeyError::TooShort));
    }
}
