//! How Python reads JSON values: what counts as absent, and what counts as a number.

use std::fmt;

use natter_model::text::strip;
use serde_json::{Number, Value};

/// The longest decimal text that Python turns into an integer, in digits.
const MAX_DIGITS: usize = 4300;

/// An integer of any size, in canonical decimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Int {
    negative: bool,
    digits: String,
}

/// Python's `int(value)` raises an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an integer")]
pub struct NotAnInteger;

/// Python's `bool(value)`: false for null, false, 0, "", [] and {}.
pub fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

/// Python's `int(value)`, but numbers from 2^64 on are refused unless they come as text: their last digits are lost in
/// JSON.
pub fn int(value: &Value) -> Result<Int, NotAnInteger> {
    match value {
        Value::Bool(value) => Ok(Int::new(false, u64::from(*value))),
        Value::Number(number) => int_of_number(number),
        Value::String(text) => int_of_text(text),
        Value::Null | Value::Array(_) | Value::Object(_) => Err(NotAnInteger),
    }
}

impl Int {
    fn new(negative: bool, magnitude: u64) -> Self {
        Self { negative: negative && magnitude != 0, digits: magnitude.to_string() }
    }

    /// The integer, if it lies between 0 and 2^64 - 1.
    pub fn to_u64(&self) -> Option<u64> {
        if self.negative { None } else { self.digits.parse().ok() }
    }
}

impl fmt::Display for Int {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        write!(f, "{sign}{}", self.digits)
    }
}

fn int_of_number(number: &Number) -> Result<Int, NotAnInteger> {
    if let Some(integer) = number.as_i64() {
        return Ok(Int::new(integer < 0, integer.unsigned_abs()));
    }
    if let Some(integer) = number.as_u64() {
        return Ok(Int::new(false, integer));
    }
    let float = number.as_f64().ok_or(NotAnInteger)?;
    if float.abs() < 2f64.powi(64) { Ok(Int::new(float < 0.0, float.abs() as u64)) } else { Err(NotAnInteger) }
}

/// Surrounding whitespace, a sign, decimal digits of any script, single underscores between digits.
fn int_of_text(text: &str) -> Result<Int, NotAnInteger> {
    let text = strip(text);
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut digits = String::new();
    let mut after_digit = false;
    for c in text.chars() {
        match digit(c) {
            Some(digit) => digits.push(digit),
            None if c == '_' && after_digit => {}
            None => return Err(NotAnInteger),
        }
        after_digit = c != '_';
        if digits.len() > MAX_DIGITS {
            return Err(NotAnInteger);
        }
    }
    if !after_digit {
        return Err(NotAnInteger);
    }
    let digits = match digits.trim_start_matches('0') {
        "" => "0",
        significant => significant,
    };
    Ok(Int { negative: negative && digits != "0", digits: digits.to_owned() })
}

/// The ASCII digit that means the same.
fn digit(c: char) -> Option<char> {
    let zero = ZEROS[..ZEROS.partition_point(|zero| *zero <= c)].last()?;
    let value = u32::from(c) - u32::from(*zero);
    char::from_digit(value, 10)
}

/// The digit zero of each script; the other nine stand behind it (Unicode 14, category Nd).
const ZEROS: [char; 66] = [
    '\u{30}',
    '\u{660}',
    '\u{6f0}',
    '\u{7c0}',
    '\u{966}',
    '\u{9e6}',
    '\u{a66}',
    '\u{ae6}',
    '\u{b66}',
    '\u{be6}',
    '\u{c66}',
    '\u{ce6}',
    '\u{d66}',
    '\u{de6}',
    '\u{e50}',
    '\u{ed0}',
    '\u{f20}',
    '\u{1040}',
    '\u{1090}',
    '\u{17e0}',
    '\u{1810}',
    '\u{1946}',
    '\u{19d0}',
    '\u{1a80}',
    '\u{1a90}',
    '\u{1b50}',
    '\u{1bb0}',
    '\u{1c40}',
    '\u{1c50}',
    '\u{a620}',
    '\u{a8d0}',
    '\u{a900}',
    '\u{a9d0}',
    '\u{a9f0}',
    '\u{aa50}',
    '\u{abf0}',
    '\u{ff10}',
    '\u{104a0}',
    '\u{10d30}',
    '\u{11066}',
    '\u{110f0}',
    '\u{11136}',
    '\u{111d0}',
    '\u{112f0}',
    '\u{11450}',
    '\u{114d0}',
    '\u{11650}',
    '\u{116c0}',
    '\u{11730}',
    '\u{118e0}',
    '\u{11950}',
    '\u{11c50}',
    '\u{11d50}',
    '\u{11da0}',
    '\u{16a60}',
    '\u{16ac0}',
    '\u{16b50}',
    '\u{1d7ce}',
    '\u{1d7d8}',
    '\u{1d7e2}',
    '\u{1d7ec}',
    '\u{1d7f6}',
    '\u{1e140}',
    '\u{1e2f0}',
    '\u{1e950}',
    '\u{1fbf0}',
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_that_json_rounds_are_refused() {
        assert_eq!(int(&json!(1e18)).expect("exact").to_u64(), Some(1_000_000_000_000_000_000));
        assert_eq!(int(&json!(u64::MAX)).expect("exact").to_string(), "18446744073709551615");
        for rounded in [1e30, -1e30, 2f64.powi(64), f64::MAX] {
            assert_eq!(int(&json!(rounded)), Err(NotAnInteger), "{rounded}");
        }
    }

    #[test]
    fn what_is_negative_or_too_large_is_no_u64() {
        assert_eq!(int(&json!("-1")).expect("an integer").to_u64(), None);
        assert_eq!(int(&json!("18446744073709551616")).expect("an integer").to_u64(), None);
        assert_eq!(int(&json!("-0")).expect("an integer").to_u64(), Some(0));
    }

    #[test]
    fn each_script_counts_from_zero_to_nine() {
        assert!(ZEROS.is_sorted());
        assert_eq!(digit('9'), Some('9'));
        assert_eq!(digit('\u{1d7ff}'), Some('9'));
        assert_eq!(digit(':'), None);
        assert_eq!(digit('/'), None);
    }
}
