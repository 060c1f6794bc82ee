//! Events as JSON, as Python's `json` reads them.

use serde_json::Value;

use super::error::Unreadable;
use super::event::{GroupEvent, MAX_KEYS};

/// What Natter writes in front: each reader takes it, and Python never writes it.
const MARK: u8 = b' ';

/// The event's bytes, so far unmarked.
pub(crate) fn encode(event: &GroupEvent) -> Vec<u8> {
    let fields: Vec<String> =
        event.fields().iter().map(|(key, value)| format!("{}:{value}", Value::from(key.as_str()))).collect();
    format!("{{{}}}", fields.join(",")).into_bytes()
}

/// Marks bytes as Natter's.
pub(crate) fn mark(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.insert(0, MARK);
    bytes
}

/// Did Natter write them?
pub(crate) fn is_marked(bytes: &[u8]) -> bool {
    bytes.first() == Some(&MARK)
}

/// The event in these bytes.
pub(crate) fn decode(bytes: &[u8]) -> Result<GroupEvent, Unreadable> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        serde_json::error::Category::Eof => Unreadable::Truncated,
        _ => Unreadable::Malformed,
    })?;
    let Value::Object(map) = value else { return Err(Unreadable::NotAMap) };
    if map.len() > MAX_KEYS {
        return Err(Unreadable::TooDeep);
    }
    Ok(GroupEvent::received(map))
}
