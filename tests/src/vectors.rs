//! Comparing what Natter answers with what the reference was recorded to answer.

pub mod ws;

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::Value;

use crate::wait::PATIENCE;

/// Which ids Natter gave to the messages of a recording. Those that were imported keep theirs.
#[derive(Debug)]
pub struct MessageIds {
    highest_imported: u64,
    given: BTreeMap<u64, u64>,
}

impl MessageIds {
    /// Before anything was said.
    pub fn new(highest_imported: u64) -> Self {
        Self { highest_imported, given: BTreeMap::new() }
    }

    /// Natter's id of a recorded message; `None` if Natter has not shown it yet.
    pub fn get(&self, recorded: u64) -> Option<u64> {
        if recorded <= self.highest_imported { Some(recorded) } else { self.given.get(&recorded).copied() }
    }

    /// Is this Natter's id of the recorded message? The first answer for a new message is taken, if it lies behind
    /// the message before it, as ids do.
    fn matches(&mut self, recorded: u64, actual: u64) -> bool {
        if let Some(known) = self.get(recorded) {
            return known == actual;
        }
        let before = self.given.range(..recorded).next_back().map_or(self.highest_imported, |(_, &given)| given);
        let in_order = actual > before && self.given.values().all(|&given| given != actual);
        if in_order {
            self.given.insert(recorded, actual);
        }
        in_order
    }
}

/// Compares recorded JSON with Natter's.
#[derive(Debug)]
pub struct Comparison<'a> {
    /// The messages' ids so far. Grows with every message that is seen for the first time.
    pub ids: &'a mut MessageIds,
    /// Keys that Natter's objects may have beyond those recorded.
    pub additions: &'a [&'a str],
}

impl Comparison<'_> {
    /// What differs, one line each, empty if nothing does. Recorded placeholders stand for a kind of value:
    /// `<now>`, a time of a moment ago, in the form that is usual there; `<jwt>`, a token.
    pub fn differences(&mut self, recorded: &Value, actual: &Value) -> Vec<String> {
        let mut found = Vec::new();
        self.compare("", recorded, actual, &mut found);
        found
    }

    fn compare(&mut self, path: &str, recorded: &Value, actual: &Value, found: &mut Vec<String>) {
        match (recorded, actual) {
            (Value::Object(wanted), Value::Object(got)) => {
                for (key, recorded) in wanted {
                    let path = format!("{path}.{key}");
                    match got.get(key) {
                        Some(actual) if is_message_id(wanted, key) => self.compare_ids(&path, recorded, actual, found),
                        Some(actual) if key == "participants" => compare_sets(&path, recorded, actual, found),
                        Some(actual) => self.compare(&path, recorded, actual, found),
                        None => found.push(format!("{path} is missing, recorded {recorded}")),
                    }
                }
                let extra =
                    got.keys().filter(|key| !wanted.contains_key(*key) && !self.additions.contains(&key.as_str()));
                found.extend(extra.map(|key| format!("{path}.{key} is more than recorded")));
            }
            (Value::Array(wanted), Value::Array(got)) => {
                if wanted.len() != got.len() {
                    found.push(format!("{path} has {} items, recorded {}", got.len(), wanted.len()));
                }
                for (index, (recorded, actual)) in wanted.iter().zip(got).enumerate() {
                    self.compare(&format!("{path}[{index}]"), recorded, actual, found);
                }
            }
            (Value::String(recorded), Value::String(actual)) => {
                let same = match recorded.as_str() {
                    "<now>" => is_now(actual),
                    "<jwt>" => actual.split('.').filter(|part| !part.is_empty()).count() == 3,
                    parse_error if parse_error.starts_with("JSON parse error - ") => {
                        actual.starts_with("JSON parse error - ")
                    }
                    recorded => recorded == actual,
                };
                if !same {
                    found.push(format!("{path} is {actual:?}, recorded {recorded:?}"));
                }
            }
            (recorded, actual) if recorded == actual => {}
            (recorded, actual) => found.push(format!("{path} is {actual}, recorded {recorded}")),
        }
    }

    fn compare_ids(&mut self, path: &str, recorded: &Value, actual: &Value, found: &mut Vec<String>) {
        let same = match (recorded.as_u64(), actual.as_u64()) {
            (Some(recorded), Some(actual)) => self.ids.matches(recorded, actual),
            _ => false,
        };
        if !same {
            found.push(format!("{path} is {actual}, recorded {recorded}"));
        }
    }
}

/// Frames name a message by `message_id`, message objects by `id`.
fn is_message_id(object: &serde_json::Map<String, Value>, key: &str) -> bool {
    key == "message_id" || (key == "id" && object.contains_key("sender_name"))
}

fn compare_sets(path: &str, recorded: &Value, actual: &Value, found: &mut Vec<String>) {
    let sorted = |value: &Value| {
        let mut items: Vec<String> = value.as_array().into_iter().flatten().map(Value::to_string).collect();
        items.sort();
        items
    };
    if sorted(recorded) != sorted(actual) {
        found.push(format!("{path} holds {actual}, recorded {recorded}"));
    }
}

/// A moment ago, as frames (`2025-11-13 10:05:00.123456+00:00`) or REST (`2025-11-13T10:05:00.123456Z`) write it.
fn is_now(text: &str) -> bool {
    let rest = text.replacen(' ', "T", 1).replace("+00:00", "Z");
    let has_form = rest.ends_with('Z') && rest.contains('T') && (text == rest || text.ends_with("+00:00"));
    let fraction = rest.split_once('.').map_or(6, |(_, fraction)| fraction.len() - 1);
    let Ok(time) = rest.parse::<jiff::Timestamp>() else {
        return false;
    };
    let age = jiff::Timestamp::now().duration_since(time);
    has_form && fraction == 6 && age.abs() <= SignedDuration::try_from(PATIENCE).expect("patience is short")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn differences(recorded: &Value, actual: &Value) -> usize {
        let mut ids = MessageIds::new(6);
        Comparison { ids: &mut ids, additions: &["seq"] }.differences(recorded, actual).len()
    }

    #[test]
    fn what_is_the_same_does_not_differ() {
        let now = format!("{:.6}", jiff::Timestamp::now());
        let recorded = json!({"message_id": 7, "timestamp": "<now>", "participants": [1, 2]});
        let actual = json!({"message_id": 40, "timestamp": now, "participants": [2, 1], "seq": 40});
        assert_eq!(differences(&recorded, &actual), 0);
    }

    #[test]
    fn each_difference_is_found() {
        for (recorded, actual) in [
            (json!({"a": 1}), json!({})),
            (json!({}), json!({"a": 1})),
            (json!({"a": null}), json!({"a": 0})),
            (json!([1, 2]), json!([1])),
            (json!({"message_id": 3}), json!({"message_id": 4})),
            (json!({"message_id": 7}), json!({"message_id": 6})),
            (json!("<now>"), json!("2020-01-01T00:00:00Z")),
            (json!("<jwt>"), json!("a.b")),
            (json!({"participants": [1, 2]}), json!({"participants": [1, 3]})),
        ] {
            assert_eq!(differences(&recorded, &actual), 1, "{recorded} against {actual}");
        }
    }
}
