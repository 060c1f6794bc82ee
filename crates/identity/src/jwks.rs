//! A JSON Web Key Set (RFC 7517): the public keys of whoever signs, each under its name.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value};

use crate::key::{Algorithm, MIN_SECRET_BYTES, VerifyingKey};

/// Keys of one set, at most. Providers have two or three; each costs time when a token names none.
const MAX_KEYS: usize = 100;
/// The shortest RSA modulus: shorter ones can be factored, or will be.
const MIN_RSA_BYTES: usize = 2048 / 8;

/// Who could have written the set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A file of this deployment, which may hold secrets.
    File,
    /// A place that others read too: what is there is no secret, so it cannot verify as one.
    Public,
}

/// Why a set cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwksError {
    /// No JSON object with a list `keys`.
    #[error("it is no JSON Web Key Set")]
    NotASet,
    /// More than 100.
    #[error("it holds more than {MAX_KEYS} keys")]
    TooMany,
    /// There are keys, perhaps, but none that signs tokens.
    #[error("it holds no key that tokens can be verified with{}", if .0.is_empty() { String::new() } else { format!(": {}", .0.join("; ")) })]
    NoKeys(Vec<String>),
}

/// What was found in a set.
#[derive(Debug)]
pub struct Jwks {
    /// The keys that can be used.
    pub keys: Vec<VerifyingKey>,
    /// Those that cannot, by name, and why. Keys for encryption are not among them.
    pub passed_over: Vec<String>,
}

/// Reads a set. RSA keys that do not tell their algorithm are for `rsa`.
pub fn parse(json: &[u8], origin: Origin, rsa: Algorithm) -> Result<Jwks, JwksError> {
    let set: Map<String, Value> = serde_json::from_slice(json).map_err(|_| JwksError::NotASet)?;
    let Some(Value::Array(keys)) = set.get("keys") else { return Err(JwksError::NotASet) };
    if keys.len() > MAX_KEYS {
        return Err(JwksError::TooMany);
    }
    let mut found = Jwks { keys: Vec::new(), passed_over: Vec::new() };
    for key in keys.iter().map(Jwk).filter(Jwk::is_for_signatures) {
        match key.read(origin, rsa) {
            Ok(key) => found.keys.push(key),
            Err(why) => found.passed_over.push(format!("{}: {why}", key.name())),
        }
    }
    if found.keys.is_empty() { Err(JwksError::NoKeys(found.passed_over)) } else { Ok(found) }
}

struct Jwk<'a>(&'a Value);

impl Jwk<'_> {
    fn get(&self, member: &str) -> Option<&str> {
        self.0.get(member).and_then(Value::as_str)
    }

    fn name(&self) -> &str {
        self.get("kid").unwrap_or("a key without kid")
    }

    fn is_for_signatures(&self) -> bool {
        let uses = self.0.get("key_ops").and_then(Value::as_array);
        self.get("use").is_none_or(|purpose| purpose == "sig")
            && uses.is_none_or(|uses| uses.iter().any(|purpose| purpose == "verify"))
    }

    fn read(&self, origin: Origin, rsa: Algorithm) -> Result<VerifyingKey, String> {
        if self.0.get("kid").is_some_and(|kid| !kid.is_string()) {
            return Err("its kid is no text".to_owned());
        }
        let (key, algorithm) = match (self.get("kty"), self.get("crv")) {
            (Some("RSA"), _) => (self.rsa()?, self.algorithm(rsa)?),
            (Some("EC"), Some("P-256")) => (self.curve()?, self.algorithm(of("ES256"))?),
            (Some("EC"), Some("P-384")) => (self.curve()?, self.algorithm(of("ES384"))?),
            (Some("OKP"), Some("Ed25519")) => (self.edwards()?, self.algorithm(of("EdDSA"))?),
            (Some("oct"), _) => return self.secret(origin),
            (kind, curve) => {
                return Err(format!("keys of kind {} {} are not supported", kind.unwrap_or("?"), curve.unwrap_or("")));
            }
        };
        let key = VerifyingKey::public(algorithm, key).map_err(|error| error.to_string())?;
        Ok(self.named(key))
    }

    /// The algorithm that the key says it is for; else `usual`.
    fn algorithm(&self, usual: Algorithm) -> Result<Algorithm, String> {
        let Some(said) = self.get("alg") else { return Ok(usual) };
        let algorithm: Algorithm = said.parse().map_err(|_| format!("its algorithm {said:?} is not supported"))?;
        if algorithm.library().family() != usual.library().family() || self.get("crv").is_some() && algorithm != usual {
            return Err(format!("its algorithm {said:?} does not fit its kind"));
        }
        Ok(algorithm)
    }

    fn rsa(&self) -> Result<DecodingKey, String> {
        let modulus = self.bytes("n")?;
        if modulus.iter().skip_while(|byte| **byte == 0).count() < MIN_RSA_BYTES {
            return Err("RSA keys under 2048 bits can be broken".to_owned());
        }
        Ok(DecodingKey::from_rsa_raw_components(&modulus, &self.bytes("e")?))
    }

    fn curve(&self) -> Result<DecodingKey, String> {
        let (x, y) = (self.get("x").unwrap_or_default(), self.get("y").unwrap_or_default());
        DecodingKey::from_ec_components(x, y).map_err(|_| "its point is damaged".to_owned())
    }

    fn edwards(&self) -> Result<DecodingKey, String> {
        DecodingKey::from_ed_components(self.get("x").unwrap_or_default()).map_err(|_| "it is damaged".to_owned())
    }

    fn secret(&self, origin: Origin) -> Result<VerifyingKey, String> {
        if origin == Origin::Public {
            return Err("a secret that can be read by all is none".to_owned());
        }
        let secret = self.bytes("k")?;
        if secret.len() < MIN_SECRET_BYTES {
            return Err(format!("the secret is shorter than {MIN_SECRET_BYTES} bytes"));
        }
        let algorithm = self.algorithm(Algorithm::HS256)?;
        VerifyingKey::hmac(algorithm, &secret).map(|key| self.named(key)).map_err(|error| error.to_string())
    }

    fn bytes(&self, member: &str) -> Result<Vec<u8>, String> {
        let text = self.get(member).unwrap_or_default().trim_end_matches('=');
        match URL_SAFE_NO_PAD.decode(text) {
            Ok(bytes) if !bytes.is_empty() => Ok(bytes),
            _ => Err(format!("its {member:?} is missing or damaged")),
        }
    }

    fn named(&self, key: VerifyingKey) -> VerifyingKey {
        match self.get("kid") {
            Some(kid) => key.named(kid),
            None => key,
        }
    }
}

fn of(name: &str) -> Algorithm {
    name.parse().expect("one of the names that the type lists")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(set: &Value, origin: Origin) -> Result<Jwks, JwksError> {
        parse(set.to_string().as_bytes(), origin, of("RS256"))
    }

    fn ed25519() -> Value {
        // RFC 8037, appendix A.2.
        json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "ed" })
    }

    fn with(mut key: Value, member: &str, value: Value) -> Value {
        key[member] = value;
        key
    }

    #[test]
    fn keys_have_their_name_and_the_algorithm_of_their_kind() {
        let p256 = json!({
            "kty": "EC", "crv": "P-256", "use": "sig",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        });
        let secret = json!({ "kty": "oct", "alg": "HS512", "kid": "s", "k": URL_SAFE_NO_PAD.encode([7; 64]) });
        let set = json!({ "keys": [ed25519(), p256, secret] });
        let keys = read(&set, Origin::File).unwrap().keys;
        let told: Vec<_> = keys.iter().map(|key| (key.kid(), key.algorithm().to_string())).collect();
        let expected = [(Some("ed"), "EdDSA"), (None, "ES256"), (Some("s"), "HS512")];
        assert_eq!(told, expected.map(|(kid, algorithm)| (kid, algorithm.to_owned())));
    }

    #[test]
    fn what_is_published_is_no_secret() {
        let secret = json!({ "kty": "oct", "alg": "HS256", "kid": "s", "k": URL_SAFE_NO_PAD.encode([7; 64]) });
        let set = json!({ "keys": [secret, ed25519()] });
        let found = read(&set, Origin::Public).unwrap();
        assert_eq!(found.keys.iter().map(VerifyingKey::kid).collect::<Vec<_>>(), [Some("ed")]);
        assert_eq!(found.passed_over, ["s: a secret that can be read by all is none"]);
    }

    #[test]
    fn keys_that_cannot_verify_are_passed_over_by_name() {
        let short = URL_SAFE_NO_PAD.encode([255; 128]);
        for (key, why) in [
            (with(ed25519(), "x", json!("AAAA")), "cannot be used"),
            (with(ed25519(), "x", json!("*")), "damaged"),
            (with(ed25519(), "alg", json!("RS256")), "does not fit"),
            (with(ed25519(), "alg", json!("HS256")), "does not fit"),
            (with(ed25519(), "alg", json!("none")), "not supported"),
            (with(ed25519(), "crv", json!("Ed448")), "not supported"),
            (json!({ "kty": "RSA", "n": short, "e": "AQAB", "kid": "ed" }), "2048"),
            (json!({ "kty": "RSA", "e": "AQAB", "kid": "ed" }), "missing"),
            (json!({ "kty": "EC", "crv": "P-521", "alg": "ES512", "kid": "ed" }), "not supported"),
            (json!({ "kty": "oct", "k": "c2hvcnQ", "kid": "ed" }), "shorter"),
            (json!({ "kid": "ed" }), "not supported"),
        ] {
            let error = read(&json!({ "keys": [key] }), Origin::File).unwrap_err();
            let JwksError::NoKeys(passed_over) = &error else { panic!("{error}") };
            assert!(passed_over[0].starts_with("ed: ") && passed_over[0].contains(why), "{error}");
        }
    }

    #[test]
    fn keys_for_encryption_are_none_of_ours() {
        for (member, value) in [("use", json!("enc")), ("key_ops", json!(["encrypt"]))] {
            let set = json!({ "keys": [with(ed25519(), member, value)] });
            assert_eq!(read(&set, Origin::Public).unwrap_err(), JwksError::NoKeys(Vec::new()));
        }
        let set = json!({ "keys": [with(ed25519(), "key_ops", json!(["verify"]))] });
        assert_eq!(read(&set, Origin::Public).unwrap().keys.len(), 1);
    }

    #[test]
    fn what_is_no_set_is_refused() {
        for set in [json!({}), json!([]), json!({ "keys": {} }), json!("x")] {
            assert_eq!(read(&set, Origin::File).unwrap_err(), JwksError::NotASet);
        }
        assert_eq!(parse(b"<html>", Origin::Public, of("RS256")).unwrap_err(), JwksError::NotASet);
        let many = json!({ "keys": vec![ed25519(); 101] });
        assert_eq!(read(&many, Origin::Public).unwrap_err(), JwksError::TooMany);
    }
}
