//! Moments in time, and the two ways Django writes them.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Microseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// This moment by the system's clock.
    pub fn now() -> Self {
        Self(jiff::Timestamp::now().as_microsecond())
    }

    /// From microseconds since the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This much later; the last moment there is, if it would lie behind that.
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }

    /// As in WebSocket frames, Python's `str(datetime)`: `2025-11-13 10:05:00.123456+00:00`.
    pub fn to_frame(self) -> String {
        format!("{}+00:00", self.civil(' '))
    }

    /// From what [`Timestamp::to_frame`] writes, or another ISO 8601 text with an offset.
    pub fn of_frame(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|timestamp| Self(timestamp.as_microsecond()))
    }

    /// As in REST bodies, Django REST framework's ISO 8601: `2025-11-13T10:05:00.123456Z`.
    pub fn to_rest(self) -> String {
        format!("{}Z", self.civil('T'))
    }

    /// Six digits after the second, or none at exactly 0 µs.
    fn civil(self, separator: char) -> String {
        let Ok(timestamp) = jiff::Timestamp::from_microsecond(self.0) else {
            return format!("{}us", self.0);
        };
        let civil = jiff::tz::Offset::UTC.to_datetime(timestamp);
        let fraction = match self.0.rem_euclid(1_000_000) {
            0 => String::new(),
            micros => format!(".{micros:06}"),
        };
        format!(
            "{:04}-{:02}-{:02}{separator}{:02}:{:02}:{:02}{fraction}",
            civil.year(),
            civil.month(),
            civil.day(),
            civil.hour(),
            civil.minute(),
            civil.second()
        )
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rest())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_in_frames_can_be_read() {
        for micros in [0, 1_763_028_300_000_000, 1_763_028_300_123_456, -1] {
            let timestamp = Timestamp::from_micros(micros);
            assert_eq!(Timestamp::of_frame(&timestamp.to_frame()), Some(timestamp));
        }
        let moment = Timestamp::of_frame("2025-11-13 11:05:00.5+01:00");
        assert_eq!(moment, Timestamp::of_frame("2025-11-13T10:05:00.500Z"));
        for text in ["", "now", "t", "2025-11-13 10:05:00", "2025-11-13", "1763028300"] {
            assert_eq!(Timestamp::of_frame(text), None, "{text}");
        }
    }
}
