//! One field of a request's body, and Django REST framework's rules for text in it.

use std::fmt;

use natter_model::text::strip;
use natter_wire::python::{self, Int, NotAnInteger};
use serde::de::{Deserializer as _, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// A field as it came.
#[derive(Debug)]
pub(crate) enum Field {
    /// A member of a JSON object.
    Json(Box<RawValue>),
    /// A value of a form.
    Form(String),
}

/// What is wrong with a field that should hold text. `Display` is the framework's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FieldError {
    /// It is not there.
    #[error("This field is required.")]
    Required,
    /// It is JSON's null.
    #[error("This field may not be null.")]
    Null,
    /// Nothing is left of it once stripped.
    #[error("This field may not be blank.")]
    Blank,
    /// It is a boolean, a list or an object.
    #[error("Not a valid string.")]
    NotAString,
    /// It has more code points than this.
    #[error("Ensure this field has no more than {0} characters.")]
    TooLong(usize),
    /// It holds U+0000, which Postgres cannot store.
    #[error("Null characters are not allowed.")]
    NullCharacter,
    /// It holds half of a UTF-16 pair.
    #[error("Surrogate characters are not allowed: U+{0:X}.")]
    Surrogate(u16),
}

impl Field {
    /// The field as text: stripped, not blank; numbers become text.
    pub(crate) fn text(&self) -> Result<String, FieldError> {
        let text = match self {
            Self::Json(raw) if is_number(raw.get()) => number_text(raw.get()),
            _ => self.string()?,
        };
        let text = strip(&text);
        if text.is_empty() {
            return Err(FieldError::Blank);
        }
        Ok(text.to_owned())
    }

    /// The field as the string it is, if it is one.
    pub(crate) fn string(&self) -> Result<String, FieldError> {
        let text = match self {
            Self::Form(text) => text.clone(),
            Self::Json(raw) => match raw.get().as_bytes().first() {
                Some(b'"') => json_string(raw.get())?,
                Some(b'n') => return Err(FieldError::Null),
                _ => return Err(FieldError::NotAString),
            },
        };
        if text.contains('\0') { Err(FieldError::NullCharacter) } else { Ok(text) }
    }

    /// The field as an integer by Python's `int()`. `Ok(None)`: it is one of the values that Python counts as absent.
    pub(crate) fn integer(&self) -> Result<Option<Int>, NotAnInteger> {
        let value = match self {
            // As text, so that no digit of a large integer gets lost.
            Self::Json(raw) if is_integer(raw.get()) && raw.get().len() > 15 => Value::String(raw.get().to_owned()),
            Self::Json(raw) => serde_json::from_str(raw.get()).map_err(|_| NotAnInteger)?,
            Self::Form(text) => Value::String(text.clone()),
        };
        if python::truthy(&value) { python::int(&value).map(Some) } else { Ok(None) }
    }
}

fn is_number(raw: &str) -> bool {
    matches!(raw.as_bytes().first(), Some(b'-' | b'0'..=b'9'))
}

fn is_integer(raw: &str) -> bool {
    raw.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit())
}

/// Python's `str()` of a JSON number: integers digit by digit, others in their shortest form.
fn number_text(raw: &str) -> String {
    if is_integer(raw) {
        return raw.to_owned();
    }
    raw.parse::<f64>().map_or_else(|_| raw.to_owned(), |number| format!("{number:?}"))
}

/// The text of a JSON string.
fn json_string(raw: &str) -> Result<String, FieldError> {
    let bytes = serde_json::Deserializer::from_str(raw).deserialize_bytes(Wtf8).map_err(|_| FieldError::NotAString)?;
    String::from_utf8(bytes).map_err(|error| first_surrogate(error.as_bytes()))
}

/// Only as WTF-8 bytes does serde_json hand out strings with lone surrogates, where each is three bytes from 0xED 0xA0.
struct Wtf8;

impl Visitor<'_> for Wtf8 {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }
}

fn first_surrogate(bytes: &[u8]) -> FieldError {
    bytes
        .windows(3)
        .find(|window| window[0] == 0xed && window[1] >= 0xa0)
        .map(|window| 0xd000 | u16::from(window[1] & 0x3f) << 6 | u16::from(window[2] & 0x3f))
        .map_or(FieldError::NotAString, FieldError::Surrogate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(raw: &str) -> Field {
        Field::Json(serde_json::from_str(raw).expect("JSON"))
    }

    #[test]
    fn text_is_stripped_like_python_does() {
        assert_eq!(json(r#""  john_doe\n""#).text(), Ok("john_doe".to_owned()));
        assert_eq!(json(r#""\u001c a b \u001f""#).text(), Ok("a b".to_owned()));
        assert_eq!(Field::Form(" x\u{3000}".to_owned()).text(), Ok("x".to_owned()));
    }

    #[test]
    fn numbers_become_text() {
        assert_eq!(json("12345").text(), Ok("12345".to_owned()));
        assert_eq!(json("123456789012345678901234567890").text(), Ok("123456789012345678901234567890".to_owned()));
        assert_eq!(json("-1.50").text(), Ok("-1.5".to_owned()));
        assert_eq!(json("2.0").text(), Ok("2.0".to_owned()));
    }

    #[test]
    fn what_is_no_text_is_refused_with_the_frameworks_words() {
        let refused = |raw: &str| json(raw).text().expect_err("refused").to_string();
        assert_eq!(refused("null"), "This field may not be null.");
        assert_eq!(refused(r#"" \t""#), "This field may not be blank.");
        for raw in ["true", "false", "[]", r#"["x"]"#, r#"{"a": 1}"#] {
            assert_eq!(refused(raw), "Not a valid string.", "{raw}");
        }
        assert_eq!(refused(r#""a\u0000b""#), "Null characters are not allowed.");
        assert_eq!(refused(r#""\ud800""#), "Surrogate characters are not allowed: U+D800.");
        assert_eq!(refused(r#""\ud7ff \udfff""#), "Surrogate characters are not allowed: U+DFFF.");
    }

    #[test]
    fn paired_surrogates_are_one_character() {
        assert_eq!(json(r#""\ud83d\udc4b""#).text(), Ok("👋".to_owned()));
    }

    #[test]
    fn only_a_string_is_a_string() {
        assert_eq!(json(r#"" a ""#).string(), Ok(" a ".to_owned()));
        assert_eq!(json("5").string(), Err(FieldError::NotAString));
        assert_eq!(json("null").string(), Err(FieldError::Null));
        assert_eq!(Field::Form("a\0".to_owned()).string(), Err(FieldError::NullCharacter));
    }

    #[test]
    fn integers_are_read_like_python_reads_them() {
        let integer = |raw: &str| json(raw).integer().map(|integer| integer.map(|integer| integer.to_string()));
        for (raw, digits) in [
            ("3", "3"),
            (r#"" 2 ""#, "2"),
            (r#""0""#, "0"),
            ("-1", "-1"),
            ("true", "1"),
            ("10000000000000000000", "10000000000000000000"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
        ] {
            assert_eq!(integer(raw), Ok(Some(digits.to_owned())), "{raw}");
        }
        for absent in ["null", r#""""#, "0", "[]", "{}", "false"] {
            assert_eq!(integer(absent), Ok(None), "{absent}");
        }
        for bad in [r#""abc""#, r#""1.5""#, "[3]", r#"{"id": 3}"#, r#""\ud800""#] {
            assert_eq!(integer(bad), Err(NotAnInteger), "{bad}");
        }
    }
}
