//! What a program counts, as Prometheus reads it.

use std::collections::HashMap;

/// The values of one moment, by name and labels as they are written: `natter_closes_total{code="1012"}`.
#[derive(Debug, Clone)]
pub struct Scrape(HashMap<String, f64>);

impl Scrape {
    /// Reads Prometheus' text format.
    ///
    /// # Panics
    /// If a line is none of it.
    pub fn of(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let values = samples.map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("a name and a value, not {line}"));
            (name.to_owned(), value.parse().unwrap_or_else(|error| panic!("a number ({error}) in {line}")))
        });
        Self(values.collect())
    }

    /// A value; 0 where nothing was counted yet.
    pub fn value(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// All of one name, whatever their labels.
    pub fn sum(&self, name: &str) -> f64 {
        let is_it = |key: &str| key.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('{'));
        self.0.iter().filter(|(key, _)| is_it(key)).map(|(_, value)| value).sum()
    }

    /// Is it there at all?
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}
