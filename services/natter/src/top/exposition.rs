//! Prometheus' text format, as far as our programs write it.

use std::collections::HashMap;

/// All that a program told at one moment, by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exposition(HashMap<String, Vec<Series>>);

/// One line: the labels beside the name, and the value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series {
    labels: Vec<(String, String)>,
    /// The value.
    pub value: f64,
}

impl Series {
    /// Has it this label with this value?
    pub(crate) fn is(&self, label: &str, value: &str) -> bool {
        self.label(label) == Some(value)
    }

    /// The value of a label.
    pub(crate) fn label(&self, label: &str) -> Option<&str> {
        self.labels.iter().find(|(name, _)| name == label).map(|(_, value)| value.as_str())
    }

    /// Is it the same line at another moment?
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.labels == other.labels
    }
}

impl Exposition {
    /// Reads the text. The line that is none of it, if there is one.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut all: HashMap<String, Vec<Series>> = HashMap::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (name, series) = sample(line).ok_or_else(|| line.chars().take(80).collect::<String>())?;
            all.entry(name.to_owned()).or_default().push(series);
        }
        Ok(Self(all))
    }

    /// Everything of this name.
    pub(crate) fn series(&self, name: &str) -> &[Series] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// Is there something of this name?
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The sum of what has this name. `None`: nothing has.
    pub(crate) fn sum(&self, name: &str) -> Option<f64> {
        self.0.get(name).map(|all| all.iter().map(|series| series.value).sum())
    }
}

fn sample(line: &str) -> Option<(&str, Series)> {
    let end = line.find(['{', ' ', '\t'])?;
    let (name, rest) = line.split_at(end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(inner) => labels(inner)?,
        None => (Vec::new(), rest),
    };
    // A time may stand behind the value.
    let value = rest.split_whitespace().next()?.parse().ok()?;
    (!name.is_empty()).then_some((name, Series { labels, value }))
}

/// The labels, and what stands behind the closing brace.
fn labels(mut rest: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(behind) = rest.strip_prefix('}') {
            return Some((labels, behind));
        }
        let (name, quoted) = rest.split_once("=\"")?;
        let (value, behind) = unquoted(quoted)?;
        labels.push((name.trim().to_owned(), value));
        rest = behind;
    }
}

/// The text up to the closing quotation mark, and what stands behind it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((place, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[place + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_labels_and_values_are_read() {
        let text = "# HELP a Of it.\n# TYPE a counter\na{x=\"1\",y=\"quo\\\"te \\\\ \\n}\"} 2\na 3.5 1700000000000\n\nb{} +Inf\n";
        let told = Exposition::parse(text).unwrap();
        assert_eq!(told.sum("a"), Some(5.5));
        assert_eq!(told.series("a")[0].label("y"), Some("quo\"te \\ \n}"));
        assert!(told.series("a")[0].is("x", "1") && !told.series("a")[1].is("x", "1"));
        assert_eq!(told.sum("b"), Some(f64::INFINITY));
        assert_eq!((told.has("c"), told.sum("c")), (false, None));
    }

    #[test]
    fn what_is_none_of_it_is_named() {
        for text in ["<html>", "a", "a{x=\"1\" 2", "a{x=1} 2", "a two", "{x=\"1\"} 2"] {
            assert_eq!(Exposition::parse(text).unwrap_err(), text);
        }
    }

    #[test]
    fn what_our_programs_write_is_read() {
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            metrics::counter!("natter_things_total", "kind" => "a \"b\"").increment(2);
            metrics::histogram!("natter_thing_seconds").record(0.002);
        });
        let told = Exposition::parse(&recorder.handle().render()).unwrap();
        assert!(told.series("natter_things_total")[0].is("kind", "a \"b\""));
        assert_eq!(told.sum("natter_thing_seconds_count"), Some(1.0));
    }
}
