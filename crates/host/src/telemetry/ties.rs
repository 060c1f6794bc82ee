//! What ties a line to others: ids that stand at its end, in each format under the same names.

use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::{request_id, traces};

/// The ids, as far as there are any at this moment. Another one needs a line here and no more.
fn ids() -> impl Iterator<Item = (&'static str, String)> {
    let request = request_id::current().map(|id| id.to_string());
    let all = [("request_id", request), ("trace_id", traces::current_trace_id())];
    all.into_iter().filter_map(|(name, id)| Some((name, id?)))
}

/// A format whose lines end with the ids.
#[derive(Debug)]
pub(super) struct Tied<F> {
    inner: F,
    shape: Shape,
}

/// What a line is.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Words,
    Object,
}

impl<F> Tied<F> {
    /// Of a format whose lines end with `name=value`.
    pub(super) fn words(inner: F) -> Self {
        Self { inner, shape: Shape::Words }
    }

    /// Of a format whose lines are JSON objects.
    pub(super) fn object(inner: F) -> Self {
        Self { inner, shape: Shape::Object }
    }
}

impl<S, N, F> FormatEvent<S, N> for Tied<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = String::new();
        self.inner.format_event(ctx, Writer::new(&mut line), event)?;
        writer.write_str(&with_ids(&line, self.shape, ids()))
    }
}

fn with_ids(line: &str, shape: Shape, ids: impl Iterator<Item = (&'static str, String)>) -> String {
    let line = line.trim_end_matches('\n');
    let (mut tied, end) = match shape {
        Shape::Words => (line.to_owned(), "\n"),
        Shape::Object => (line.strip_suffix('}').unwrap_or(line).to_owned(), "}\n"),
    };
    for (name, id) in ids {
        // Ids have no character that would have to be escaped.
        match shape {
            Shape::Words => tied.extend([" ", name, "=", &id]),
            Shape::Object => tied.extend([",\"", name, "\":\"", &id, "\""]),
        }
    }
    tied + end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stand_at_the_end() {
        let ids = || [("request_id", "a-1".to_owned()), ("other_id", "b".to_owned())].into_iter();
        assert_eq!(with_ids("said n=1\n", Shape::Words, ids()), "said n=1 request_id=a-1 other_id=b\n");
        let line = with_ids("{\"message\":\"said\",\"n\":{}}\n", Shape::Object, ids());
        let json: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(json, serde_json::json!({"message": "said", "n": {}, "request_id": "a-1", "other_id": "b"}));
        assert!(line.ends_with("}\n"));
        for (line, shape) in [("said\n", Shape::Words), ("{\"message\":\"said\"}\n", Shape::Object)] {
            assert_eq!(with_ids(line, shape, std::iter::empty()), line);
        }
    }
}
