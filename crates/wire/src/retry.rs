//! When to try again: told in error frames as `retry_after_ms`, and at the end of close reasons.

use std::time::Duration;

/// The name under which both tell it.
const KEY: &str = "retry_after_ms";

/// The reason of a close frame: a text for people, and for programs, at its end, when to reconnect. Stays below the 123
/// bytes that a close frame has room for, if `text` stays below 90.
pub fn close_reason(text: &str, wait: Duration) -> String {
    format!("{text}; {KEY}={}", whole_ms(wait))
}

/// What a reason says at its end, if it says so.
pub fn of_close_reason(reason: &str) -> Option<Duration> {
    let (_, number) = reason.rsplit_once(KEY)?;
    number.strip_prefix('=')?.parse().ok().map(Duration::from_millis)
}

/// Rounded up, so that nobody comes too early.
pub(crate) fn whole_ms(wait: Duration) -> u64 {
    u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_for_people_and_for_programs() {
        let reason = close_reason("the server is full", Duration::from_micros(2500));
        assert_eq!(reason, "the server is full; retry_after_ms=3");
        assert_eq!(of_close_reason(&reason), Some(Duration::from_millis(3)));
        for reason in ["", "the server is full", "retry_after_ms=", "retry_after_ms=1x", "retry_after_ms=1; and more"] {
            assert_eq!(of_close_reason(reason), None, "{reason}");
        }
    }
}
