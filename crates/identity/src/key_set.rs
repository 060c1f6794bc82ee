//! The keys that may have signed a token: several, because they are replaced one by one.

use serde_json::Value;

use crate::jws::{Object, Parts};
use crate::key::{Algorithm, VerifyingKey};

/// Some keys. The default holds none, and accepts nothing.
#[derive(Debug, Clone, Default)]
pub struct KeySet(Vec<VerifyingKey>);

impl KeySet {
    /// These keys.
    pub fn new(keys: impl IntoIterator<Item = VerifyingKey>) -> Self {
        Self(keys.into_iter().collect())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Does the token name a key that is not here? What is no token names none.
    pub fn lacks_key_of(&self, token: &str) -> bool {
        let parts = Parts::of(token);
        parts.and_then(|parts| parts.kid().map(|kid| !self.0.iter().any(|key| key.kid() == Some(kid)))).unwrap_or(false)
    }

    /// The payload, if the token is well formed, and signed by a key of its `kid` or without a name, with that key's own
    /// algorithm.
    pub(crate) fn open(&self, token: &str) -> Option<Object> {
        let parts = Parts::of(token)?;
        if !parts.is_understood() {
            return None;
        }
        let algorithm: Algorithm = parts.header.get("alg").and_then(Value::as_str)?.parse().ok()?;
        let fits = |key: &&VerifyingKey| {
            key.algorithm() == algorithm && parts.kid().is_none_or(|kid| key.kid().is_none_or(|name| name == kid))
        };
        let mut fitting = self.0.iter().filter(fits);
        fitting.any(|key| key.accepts(parts.message, parts.signature)).then_some(parts.payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jws;
    use crate::key::SigningKey;

    fn key(byte: u8) -> SigningKey {
        SigningKey::hmac(&[byte; 32]).expect("long enough")
    }

    fn signed(key: &SigningKey) -> String {
        jws::seal(&Object::new(), key)
    }

    #[test]
    fn a_key_without_a_name_is_tried_with_every_token_of_its_algorithm() {
        let keys = KeySet::new([key(1).verifying_key().clone(), key(2).verifying_key().clone()]);
        for good in [signed(&key(1)), signed(&key(2)), signed(&key(2).named("any"))] {
            assert!(keys.open(&good).is_some());
        }
        assert!(keys.open(&signed(&key(3))).is_none());
        let hs512: Algorithm = "HS512".parse().expect("a known name");
        let longer = SigningKey::hmac_with(hs512, &[1; 32]).expect("of this kind");
        assert!(keys.open(&signed(&longer)).is_none(), "another algorithm");
        assert!(KeySet::default().open(&signed(&key(1))).is_none());
    }

    #[test]
    fn a_key_with_a_name_is_for_tokens_that_name_it_or_none() {
        let keys = KeySet::new([key(1).named("one"), key(2).named("two")].map(|key| key.verifying_key().clone()));
        assert!(keys.open(&signed(&key(1).named("one"))).is_some());
        assert!(keys.open(&signed(&key(1))).is_some());
        assert!(keys.open(&signed(&key(1).named("two"))).is_none());
        assert!(keys.open(&signed(&key(1).named("three"))).is_none());
    }

    #[test]
    fn only_a_name_that_is_not_here_is_missed() {
        let keys = KeySet::new([key(1).named("one").verifying_key().clone(), key(2).verifying_key().clone()]);
        assert!(keys.lacks_key_of(&signed(&key(1).named("three"))));
        for token in [signed(&key(1).named("one")), signed(&key(9)), "nonsense".to_owned(), String::new()] {
            assert!(!keys.lacks_key_of(&token), "{token}");
        }
    }
}
