//! One figure of the report, for people and for machines.

use serde_json::{Value, json};

/// A figure with its unit. `None`: nothing is known of it at this moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cell {
    /// So many.
    Count(Option<f64>),
    /// So many per second.
    Rate(Option<f64>),
    /// A duration.
    Seconds(Option<f64>),
    /// A size.
    Bytes(Option<f64>),
    /// A share of one.
    Share(Option<f64>),
}

impl Cell {
    /// For people, short.
    pub(crate) fn text(&self) -> String {
        let text = match self {
            Self::Count(n) => n.map(count),
            Self::Rate(n) => n.map(|n| if n < 9.95 { format!("{n:.1}") } else { count(n) }),
            Self::Seconds(n) => n.map(duration),
            Self::Bytes(n) => n.map(bytes),
            Self::Share(n) => n.map(|n| format!("{:.0}%", n * 100.0)),
        };
        text.unwrap_or_else(|| "-".to_owned())
    }

    /// For machines: in base units.
    pub(crate) fn json(&self) -> Value {
        let (Self::Count(n) | Self::Rate(n) | Self::Seconds(n) | Self::Bytes(n) | Self::Share(n)) = self;
        json!(n)
    }
}

fn count(n: f64) -> String {
    match n {
        n if n < 9_999.5 => format!("{n:.0}"),
        n if n < 999_950.0 => format!("{:.1}k", n / 1e3),
        n => format!("{:.1}M", n / 1e6),
    }
}

fn duration(seconds: f64) -> String {
    match seconds {
        0.0 => "0s".to_owned(),
        s if s < 0.001 => format!("{:.1}ms", s * 1e3),
        s if s < 0.9995 => format!("{:.0}ms", s * 1e3),
        s if s < 9.95 => format!("{s:.1}s"),
        s if s < 119.5 => format!("{s:.0}s"),
        s if s < 7_170.0 => format!("{:.0}min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0}h", s / 3_600.0),
        s => format!("{:.0}d", s / 86_400.0),
    }
}

fn bytes(n: f64) -> String {
    let mib = n / f64::from(1 << 20);
    match mib {
        mib if mib < 0.1 => format!("{:.0}KiB", n / 1024.0),
        mib if mib < 9.95 => format!("{mib:.1}MiB"),
        mib if mib < 1023.5 => format!("{mib:.0}MiB"),
        mib => format!("{:.1}GiB", mib / 1024.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short_for_people_and_exact_for_machines() {
        for (cell, text) in [
            (Cell::Count(Some(9_999.0)), "9999"),
            (Cell::Count(Some(20_000.0)), "20.0k"),
            (Cell::Count(Some(2_500_000.0)), "2.5M"),
            (Cell::Count(None), "-"),
            (Cell::Rate(Some(0.5)), "0.5"),
            (Cell::Rate(Some(9.99)), "10"),
            (Cell::Seconds(Some(0.000_4)), "0.4ms"),
            (Cell::Seconds(Some(0.25)), "250ms"),
            (Cell::Seconds(Some(1.5)), "1.5s"),
            (Cell::Seconds(Some(90.0)), "90s"),
            (Cell::Seconds(Some(600.0)), "10min"),
            (Cell::Seconds(Some(86_400.0)), "24h"),
            (Cell::Seconds(Some(864_000.0)), "10d"),
            (Cell::Bytes(Some(2048.0)), "2KiB"),
            (Cell::Bytes(Some(50.0 * 1024.0 * 1024.0)), "50MiB"),
            (Cell::Share(Some(0.954)), "95%"),
        ] {
            assert_eq!(cell.text(), text);
        }
        assert_eq!(Cell::Seconds(Some(0.25)).json(), json!(0.25));
        assert_eq!(Cell::Rate(None).json(), Value::Null);
        assert_eq!(Cell::Rate(Some(f64::INFINITY)).json(), Value::Null, "which JSON cannot say");
    }
}
