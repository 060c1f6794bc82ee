//! The compact form of a signed token (RFC 7515): `header.payload.signature` in base64url.

use base64::Engine;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use crate::key::SigningKey;

/// A JSON object.
pub(crate) type Object = Map<String, Value>;

/// The payload with its signature.
pub(crate) fn seal(payload: &Object, key: &SigningKey) -> String {
    let (key, signer) = (key.verifying_key(), key);
    let mut header = Object::new();
    header.insert("alg".to_owned(), Value::String(key.algorithm().to_string()));
    header.extend(key.kid().map(|kid| ("kid".to_owned(), Value::String(kid.to_owned()))));
    header.insert("typ".to_owned(), Value::String("JWT".to_owned()));
    let text = |object: &Object| URL_SAFE_NO_PAD.encode(Value::Object(object.clone()).to_string());
    let message = format!("{}.{}", text(&header), text(payload));
    let signature = signer.sign(message.as_bytes());
    format!("{message}.{signature}")
}

/// A well-formed token, whoever signed it.
pub(crate) struct Parts<'a> {
    /// What is signed.
    pub message: &'a [u8],
    /// In unpadded base64url.
    pub signature: &'a str,
    /// The first part.
    pub header: Object,
    /// The second part.
    pub payload: Object,
}

impl<'a> Parts<'a> {
    /// The parts of a token, if it is one.
    pub(crate) fn of(token: &'a str) -> Option<Self> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, payload) = message.split_once('.')?;
        let (header, payload) = (object(header)?, object(payload)?);
        decode(signature)?;
        Some(Self { message: message.as_bytes(), signature: signature.trim_end_matches('='), header, payload })
    }

    /// The name of the key that signed it, if it tells.
    pub(crate) fn kid(&self) -> Option<&str> {
        self.header.get("kid").and_then(Value::as_str)
    }

    /// Is everything in the header known here?
    pub(crate) fn is_understood(&self) -> bool {
        self.header.get("kid").is_none_or(Value::is_string)
            // No extension is understood here, so none may be critical; and RFC 7797's raw payload is one.
            && !self.header.contains_key("crit")
            && self.header.get("b64").is_none_or(|b64| *b64 == Value::Bool(true))
    }
}

/// The payload, whoever signed it.
pub(crate) fn payload(token: &str) -> Option<Object> {
    let (message, _) = token.rsplit_once('.')?;
    object(message.split_once('.')?.1)
}

fn object(segment: &str) -> Option<Object> {
    serde_json::from_slice(&decode(segment)?).ok()
}

/// Canonical base64url, without padding or with all of it.
fn decode(segment: &str) -> Option<Vec<u8>> {
    let engine = if segment.ends_with('=') { &URL_SAFE } else { &URL_SAFE_NO_PAD };
    engine.decode(segment).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key_set::KeySet;

    fn open(token: &str, key: &SigningKey) -> Option<Object> {
        KeySet::new([key.verifying_key().clone()]).open(token)
    }

    fn signed(header: &str, payload: &str, key: &SigningKey) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        format!("{message}.{}", key.sign(message.as_bytes()))
    }

    #[test]
    fn what_was_sealed_opens_again() {
        let key = SigningKey::hmac_unchecked(b"secret");
        let payload: Object = serde_json::from_str(r#"{"a":[1,"ü"]}"#).expect("JSON");
        let token = seal(&payload, &key);
        assert!(token.starts_with("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."));
        assert_eq!(open(&token, &key), Some(payload));
        assert_eq!(open(&token, &SigningKey::hmac_unchecked(b"other")), None);
    }

    #[test]
    fn no_character_of_a_token_can_be_changed() {
        let key = SigningKey::hmac_unchecked(b"secret");
        let payload = serde_json::from_str(r#"{"user_id":"2"}"#).expect("JSON");
        let token = seal(&payload, &key);
        for at in 0..token.len() {
            for other in "AQgw-_=. !".chars().filter(|other| !token[at..].starts_with(*other)) {
                let forged = format!("{}{other}{}", &token[..at], &token[at + 1..]);
                assert_eq!(open(&forged, &key), None, "{forged}");
            }
        }
    }

    #[test]
    fn a_header_must_be_understood_completely() {
        let key = SigningKey::hmac_unchecked(b"secret");
        let opens = |header: &str| open(&signed(header, "{}", &key), &key).is_some();
        assert!(opens(r#"{"alg":"HS256"}"#));
        assert!(opens(r#"{"alg":"HS256","typ":"at+jwt","kid":"1","b64":true,"x":1}"#));
        for header in [
            r#"{"alg":"HS384"}"#,
            r#"{"alg":"none"}"#,
            r#"{"typ":"JWT"}"#,
            r#"{"alg":"HS256","kid":null}"#,
            r#"{"alg":"HS256","crit":[]}"#,
            r#"{"alg":"HS256","crit":["b64"],"b64":true}"#,
            r#"{"alg":"HS256","b64":false}"#,
            r#"["HS256"]"#,
        ] {
            assert!(!opens(header), "{header}");
        }
    }

    #[test]
    fn padding_is_all_or_nothing() {
        assert_eq!(decode("YQ"), Some(b"a".to_vec()));
        assert_eq!(decode("YQ=="), Some(b"a".to_vec()));
        for segment in ["YQ=", "YQ===", "YR", "Y", "Y+==", "Y Q", "="] {
            assert_eq!(decode(segment), None, "{segment}");
        }
    }
}
