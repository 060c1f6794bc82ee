//! Keys that sign and verify tokens. A key belongs to one algorithm, so no token can choose another one.

use std::fmt;
use std::str::FromStr;

use jsonwebtoken::{AlgorithmFamily, DecodingKey, DecodingKeyKind, EncodingKey, crypto};

/// The shortest shared secret that [`SigningKey::hmac`] takes, in bytes: as long as what HS256 makes of it.
pub const MIN_SECRET_BYTES: usize = 32;

/// Why a key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Short secrets can be guessed offline by anybody who holds a token.
    #[error("the signing key is shorter than {MIN_SECRET_BYTES} bytes")]
    TooShort,
    /// Not one of the names [`Algorithm`] lists.
    #[error("unknown or unsupported signature algorithm")]
    UnknownAlgorithm,
    /// A secret for an algorithm with key pairs, or the other way round.
    #[error("this kind of key does not fit the signature algorithm")]
    WrongKind,
    /// Not a key in PEM form, one of another algorithm, or two halves that do not belong together.
    #[error("the PEM key cannot be used with the signature algorithm")]
    BadPem,
}

/// A signature algorithm, parsed from its JOSE name: HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512,
/// ES256, ES384 or EdDSA (Ed25519). `none` is not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Algorithm(jsonwebtoken::Algorithm);

impl Algorithm {
    /// HMAC with SHA-256, simplejwt's default.
    pub const HS256: Self = Self(jsonwebtoken::Algorithm::HS256);
}

impl FromStr for Algorithm {
    type Err = KeyError;

    fn from_str(name: &str) -> Result<Self, KeyError> {
        name.parse().map(Self).map_err(|_| KeyError::UnknownAlgorithm)
    }
}

impl fmt::Display for Algorithm {
    /// The JOSE name, as in a token's header.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// Signs tokens, and verifies them. Never prints what it holds; wiped from memory when dropped.
#[derive(Clone)]
pub struct SigningKey {
    secret: EncodingKey,
    verifying: VerifyingKey,
}

impl SigningKey {
    /// A secret shared by all who sign and verify, for HS256. [`KeyError::TooShort`] under [`MIN_SECRET_BYTES`].
    pub fn hmac(secret: &[u8]) -> Result<Self, KeyError> {
        if secret.len() < MIN_SECRET_BYTES {
            return Err(KeyError::TooShort);
        }
        Ok(Self::hmac_unchecked(secret))
    }

    /// The same for a secret of any length, for deployments that already have a short one.
    pub fn hmac_unchecked(secret: &[u8]) -> Self {
        Self::shared(Algorithm::HS256, secret)
    }

    /// A secret of any length for HS256, HS384 or HS512; [`KeyError::WrongKind`] with other algorithms.
    pub fn hmac_with(algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        if algorithm.0.family() != AlgorithmFamily::Hmac {
            return Err(KeyError::WrongKind);
        }
        Ok(Self::shared(algorithm, secret))
    }

    /// A key pair in PEM form: PKCS#8 (RSA also PKCS#1) and SubjectPublicKeyInfo. The halves are tried on each other.
    pub fn pem(algorithm: Algorithm, private: &[u8], public: &[u8]) -> Result<Self, KeyError> {
        let secret = match algorithm.0.family() {
            AlgorithmFamily::Hmac => return Err(KeyError::WrongKind),
            AlgorithmFamily::Rsa => EncodingKey::from_rsa_pem(private),
            AlgorithmFamily::Ec => EncodingKey::from_ec_pem(private),
            AlgorithmFamily::Ed => EncodingKey::from_ed_pem(private),
        }
        .map_err(|_| KeyError::BadPem)?;
        let key = Self { secret, verifying: VerifyingKey::pem(algorithm, public)? };
        let signature = key.try_sign(b"probe").map_err(|_| KeyError::BadPem)?;
        if key.verifying.accepts(b"probe", &signature) { Ok(key) } else { Err(KeyError::BadPem) }
    }

    /// The half that only verifies. With HMAC it is the secret itself.
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying
    }

    /// The signature of `message` in unpadded base64url.
    pub(crate) fn sign(&self, message: &[u8]) -> String {
        self.try_sign(message).expect("HMAC takes any secret, and a PEM key has signed when it was made")
    }

    fn shared(algorithm: Algorithm, secret: &[u8]) -> Self {
        let verifying = VerifyingKey { algorithm, key: DecodingKey::from_secret(secret) };
        Self { secret: EncodingKey::from_secret(secret), verifying }
    }

    fn try_sign(&self, message: &[u8]) -> jsonwebtoken::errors::Result<String> {
        crypto::sign(message, &self.secret, self.verifying.algorithm.0)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, [redacted])", self.verifying.algorithm)
    }
}

/// Verifies tokens. Never prints what it holds, because with HMAC that is the secret.
#[derive(Clone)]
pub struct VerifyingKey {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl VerifyingKey {
    /// A public key in PEM form (SubjectPublicKeyInfo), for services that do not sign.
    pub fn pem(algorithm: Algorithm, public: &[u8]) -> Result<Self, KeyError> {
        let key = match algorithm.0.family() {
            AlgorithmFamily::Hmac => return Err(KeyError::WrongKind),
            AlgorithmFamily::Rsa => DecodingKey::from_rsa_pem(public),
            AlgorithmFamily::Ec => DecodingKey::from_ec_pem(public),
            AlgorithmFamily::Ed => DecodingKey::from_ed_pem(public),
        }
        .map_err(|_| KeyError::BadPem)?;
        // jsonwebtoken slices 32 bytes off an Ed25519 key without looking at its length.
        if let (AlgorithmFamily::Ed, DecodingKeyKind::SecretOrDer(bytes)) = (key.family(), key.kind())
            && bytes.len() != 32
        {
            return Err(KeyError::BadPem);
        }
        // An error here is one of the key; a wrong signature is `Ok(false)`.
        crypto::verify("", b"probe", &key, algorithm.0).map_err(|_| KeyError::BadPem)?;
        Ok(Self { algorithm, key })
    }

    /// The one algorithm a token's header may name.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether `signature`, unpadded base64url, is this key's signature of `message`. In constant time with HMAC.
    pub(crate) fn accepts(&self, message: &[u8], signature: &str) -> bool {
        crypto::verify(signature, message, &self.key, self.algorithm.0).unwrap_or(false)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({}, [redacted])", self.algorithm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_secret_is_refused_unless_asked_for() {
        assert_eq!(SigningKey::hmac(&[7; 31]).err(), Some(KeyError::TooShort));
        assert!(SigningKey::hmac(&[7; 32]).is_ok());
        let short = SigningKey::hmac_unchecked(b"tiny");
        assert!(short.verifying_key().accepts(b"text", &short.sign(b"text")));
    }

    #[test]
    fn a_key_never_prints_itself() {
        let key = SigningKey::hmac_unchecked(b"shibboleth");
        assert_eq!(
            format!("{key:?} {:?}", key.verifying_key()),
            "SigningKey(HS256, [redacted]) VerifyingKey(HS256, [redacted])"
        );
    }

    #[test]
    fn a_key_fits_only_its_own_kind_of_algorithm() {
        let rs256: Algorithm = "RS256".parse().expect("a known name");
        assert_eq!(SigningKey::hmac_with(rs256, &[7; 32]).err(), Some(KeyError::WrongKind));
        assert_eq!(SigningKey::pem(Algorithm::HS256, b"", b"").err(), Some(KeyError::WrongKind));
        assert_eq!(SigningKey::pem(rs256, b"not pem", b"").err(), Some(KeyError::BadPem));
        for name in ["none", "None", "hs256", "ES512", ""] {
            assert_eq!(name.parse::<Algorithm>(), Err(KeyError::UnknownAlgorithm), "{name}");
        }
    }
}
