//! The compact form of a signed token (RFC 7515): `header.payload.signature` in base64url.

use base64::Engine;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use crate::key::{SigningKey, VerifyingKey};

/// A JSON object.
pub(crate) type Object = Map<String, Value>;

/// The payload with its signature.
pub(crate) fn seal(payload: &Object, key: &SigningKey) -> String {
    let header = format!(r#"{{"alg":"{}","typ":"JWT"}}"#, key.verifying_key().algorithm());
    let payload = serde_json::to_vec(payload).expect("a JSON object has string keys");
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = key.sign(message.as_bytes());
    format!("{message}.{signature}")
}

/// The payload, if the token is well formed and signed by `key` with the key's own algorithm.
pub(crate) fn open(token: &str, key: &VerifyingKey) -> Option<Object> {
    let (message, signature) = token.rsplit_once('.')?;
    let (header, payload) = message.split_once('.')?;
    let header = object(header)?;
    let payload = object(payload)?;
    decode(signature)?;
    let signature = signature.trim_end_matches('=');
    (is_acceptable(&header, key) && key.accepts(message.as_bytes(), signature)).then_some(payload)
}

/// The payload, whoever signed it.
pub(crate) fn payload(token: &str) -> Option<Object> {
    let (message, _) = token.rsplit_once('.')?;
    object(message.split_once('.')?.1)
}

fn is_acceptable(header: &Object, key: &VerifyingKey) -> bool {
    header.get("alg").and_then(Value::as_str) == Some(&key.algorithm().to_string())
        && header.get("kid").is_none_or(Value::is_string)
        // No extension is understood here, so none may be critical; and RFC 7797's raw payload is one.
        && !header.contains_key("crit")
        && header.get("b64").is_none_or(|b64| *b64 == Value::Bool(true))
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
        assert_eq!(open(&token, key.verifying_key()), Some(payload));
        assert_eq!(open(&token, SigningKey::hmac_unchecked(b"other").verifying_key()), None);
    }

    #[test]
    fn no_character_of_a_token_can_be_changed() {
        let key = SigningKey::hmac_unchecked(b"secret");
        let payload = serde_json::from_str(r#"{"user_id":"2"}"#).expect("JSON");
        let token = seal(&payload, &key);
        for at in 0..token.len() {
            for other in "AQgw-_=. !".chars().filter(|other| !token[at..].starts_with(*other)) {
                let forged = format!("{}{other}{}", &token[..at], &token[at + 1..]);
                assert_eq!(open(&forged, key.verifying_key()), None, "{forged}");
            }
        }
    }

    #[test]
    fn a_header_must_be_understood_completely() {
        let key = SigningKey::hmac_unchecked(b"secret");
        let opens = |header: &str| open(&signed(header, "{}", &key), key.verifying_key()).is_some();
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
