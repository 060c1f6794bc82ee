//! Keys that sign and verify tokens. A key belongs to one algorithm, so no token can choose another one.

use std::fmt;
use std::str::FromStr;

use jsonwebtoken::jwk::Jwk;
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
    /// A public key is no secret: whoever knows it could sign with it.
    #[error("a key or certificate in PEM or SSH form is no shared secret")]
    PemAsSecret,
}

/// A signature algorithm, parsed from its JOSE name: HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512,
/// ES256, ES384 or EdDSA (Ed25519). `none` is not among them, nor is ES512, which the library does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Algorithm(jsonwebtoken::Algorithm);

impl Algorithm {
    /// HMAC with SHA-256, simplejwt's default.
    pub const HS256: Self = Self(jsonwebtoken::Algorithm::HS256);

    /// RSA with SHA-256, what providers of keys use if they do not say.
    pub const RS256: Self = Self(jsonwebtoken::Algorithm::RS256);

    /// Does it sign with a secret that all who verify know too?
    pub fn is_shared(self) -> bool {
        self.0.family() == AlgorithmFamily::Hmac
    }

    /// Does it sign with an RSA key?
    pub fn is_rsa(self) -> bool {
        self.0.family() == AlgorithmFamily::Rsa
    }

    /// How the library calls it.
    pub(crate) fn library(self) -> jsonwebtoken::Algorithm {
        self.0
    }
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
        VerifyingKey::hmac(algorithm, secret)
            .map(|verifying| Self { secret: EncodingKey::from_secret(secret), verifying })
    }

    /// A private key in PEM form: PKCS#8 (RSA also PKCS#1). Its public half is told by it.
    pub fn pem(algorithm: Algorithm, private: &[u8]) -> Result<Self, KeyError> {
        let secret = match algorithm.0.family() {
            AlgorithmFamily::Hmac => return Err(KeyError::WrongKind),
            AlgorithmFamily::Rsa => EncodingKey::from_rsa_pem(private),
            AlgorithmFamily::Ec => EncodingKey::from_ec_pem(private),
            AlgorithmFamily::Ed => EncodingKey::from_ed_pem(private),
        }
        .map_err(|_| KeyError::BadPem)?;
        let public = Jwk::from_encoding_key(&secret, algorithm.0).map_err(|_| KeyError::BadPem)?;
        let public = DecodingKey::from_jwk(&public).map_err(|_| KeyError::BadPem)?;
        let key = Self { secret, verifying: VerifyingKey::public(algorithm, public)? };
        let signature = key.try_sign(b"probe").map_err(|_| KeyError::BadPem)?;
        if key.verifying.accepts(b"probe", &signature) { Ok(key) } else { Err(KeyError::BadPem) }
    }

    /// The same key under a name, which tokens then carry as `kid`.
    pub fn named(mut self, kid: impl Into<String>) -> Self {
        self.verifying = self.verifying.named(kid);
        self
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
        let verifying = VerifyingKey { algorithm, key: DecodingKey::from_secret(secret), kid: None };
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
    kid: Option<String>,
}

impl VerifyingKey {
    /// A public key in PEM form (SubjectPublicKeyInfo), for services that do not sign.
    pub fn pem(algorithm: Algorithm, public: &[u8]) -> Result<Self, KeyError> {
        let key = match algorithm.0.family() {
            AlgorithmFamily::Hmac => return Err(KeyError::WrongKind),
            AlgorithmFamily::Rsa => DecodingKey::from_rsa_pem(public),
            AlgorithmFamily::Ec => DecodingKey::from_ec_pem(public),
            AlgorithmFamily::Ed => DecodingKey::from_ed_pem(public),
        };
        Self::public(algorithm, key.map_err(|_| KeyError::BadPem)?)
    }

    /// A secret of any length for HS256, HS384 or HS512; [`KeyError::WrongKind`] with other algorithms.
    pub fn hmac(algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        if !algorithm.is_shared() {
            return Err(KeyError::WrongKind);
        }
        if looks_public(secret) {
            return Err(KeyError::PemAsSecret);
        }
        Ok(Self { algorithm, key: DecodingKey::from_secret(secret), kid: None })
    }

    /// A public key that was read already, tried out.
    pub(crate) fn public(algorithm: Algorithm, key: DecodingKey) -> Result<Self, KeyError> {
        // jsonwebtoken slices 32 bytes off an Ed25519 key without looking at its length.
        if let (AlgorithmFamily::Ed, DecodingKeyKind::SecretOrDer(bytes)) = (key.family(), key.kind())
            && bytes.len() != 32
        {
            return Err(KeyError::BadPem);
        }
        // An error here is one of the key; a wrong signature is `Ok(false)`.
        crypto::verify("", b"probe", &key, algorithm.0).map_err(|_| KeyError::BadPem)?;
        Ok(Self { algorithm, key, kid: None })
    }

    /// The same key under a name: tokens with another `kid` are none of its.
    pub fn named(mut self, kid: impl Into<String>) -> Self {
        self.kid = Some(kid.into());
        self
    }

    /// The one algorithm a token's header may name.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its name, if it has one.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whether `signature`, unpadded base64url, is this key's signature of `message`. In constant time with HMAC.
    pub(crate) fn accepts(&self, message: &[u8], signature: &str) -> bool {
        crypto::verify(signature, message, &self.key, self.algorithm.0).unwrap_or(false)
    }
}

/// A key that others may know by its very form: as a secret it would let them sign.
fn looks_public(secret: &[u8]) -> bool {
    let text = secret.trim_ascii_start();
    [&b"-----BEGIN "[..], b"ssh-", b"ecdsa-sha2-"].iter().any(|start| text.starts_with(start))
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
    fn what_others_may_know_is_no_secret() {
        for public in [
            "-----BEGIN PUBLIC KEY-----\nMFkw",
            "\n-----BEGIN CERTIFICATE-----",
            "ssh-ed25519 AAAA",
            "ecdsa-sha2-nistp256 AAAA",
        ] {
            assert_eq!(VerifyingKey::hmac(Algorithm::HS256, public.as_bytes()).err(), Some(KeyError::PemAsSecret));
            assert_eq!(SigningKey::hmac_with(Algorithm::HS256, public.as_bytes()).err(), Some(KeyError::PemAsSecret));
        }
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
        assert_eq!(SigningKey::pem(Algorithm::HS256, b"").err(), Some(KeyError::WrongKind));
        assert_eq!(SigningKey::pem(rs256, b"not pem").err(), Some(KeyError::BadPem));
        for name in ["none", "None", "hs256", "ES512", ""] {
            assert_eq!(name.parse::<Algorithm>(), Err(KeyError::UnknownAlgorithm), "{name}");
        }
    }
}
