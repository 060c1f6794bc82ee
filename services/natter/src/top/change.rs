//! What happened between two looks at a program.

use std::collections::BTreeMap;

use crate::top::exposition::{Exposition, Series};

/// Two looks at one program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change<'a> {
    /// `None`: it was never seen before, and nothing can be said of rates.
    pub before: Option<&'a Exposition>,
    /// The later look.
    pub now: &'a Exposition,
    /// The time between the two.
    pub seconds: f64,
}

/// How often a duration was at most this long, by its bound: what a histogram has counted in a while. Those of several
/// programs can be added up.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Buckets(BTreeMap<Bound, f64>);

/// Bounds have an order.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bound(f64);

impl Change<'_> {
    /// How much a counter has grown, all its labels together.
    pub(crate) fn increase(&self, name: &str) -> Option<f64> {
        self.increase_where(name, |_| true)
    }

    /// The same for those labels.
    pub(crate) fn increase_where(&self, name: &str, is_meant: impl Fn(&Series) -> bool) -> Option<f64> {
        let all = self.now.series(name);
        let before = self.before_of(name)?;
        (!all.is_empty()).then(|| all.iter().filter(|series| is_meant(series)).map(|now| grown(before, now)).sum())
    }

    /// How fast a counter grows, all its labels together.
    pub(crate) fn rate(&self, name: &str) -> Option<f64> {
        self.rate_where(name, |_| true)
    }

    /// The same for those labels.
    pub(crate) fn rate_where(&self, name: &str, is_meant: impl Fn(&Series) -> bool) -> Option<f64> {
        let increase = self.increase_where(name, is_meant)?;
        (self.seconds > 0.0).then(|| increase / self.seconds)
    }

    /// What the histogram of this name has counted.
    pub(crate) fn buckets(&self, name: &str) -> Buckets {
        let name = format!("{name}_bucket");
        let mut buckets = Buckets::default();
        let Some(before) = self.before_of(&name) else { return buckets };
        for now in self.now.series(&name) {
            let Some(bound) = now.label("le").and_then(|bound| bound.parse().ok()) else { continue };
            *buckets.0.entry(Bound(bound)).or_default() += grown(before, now);
        }
        buckets
    }

    /// What was counted before. Nothing, if the program was started again since.
    fn before_of(&self, name: &str) -> Option<&[Series]> {
        const STARTED: &str = "process_start_time_seconds";
        let before = self.before?;
        Some(if before.sum(STARTED) == self.now.sum(STARTED) { before.series(name) } else { &[] })
    }
}

/// A counter that is smaller than before began anew.
fn grown(before: &[Series], now: &Series) -> f64 {
    let before = before.iter().find(|series| series.is_same(now)).map_or(0.0, |series| series.value);
    if now.value < before { now.value } else { now.value - before }
}

impl Buckets {
    /// Adds those of another program.
    pub(crate) fn add(&mut self, other: &Self) {
        for (bound, n) in &other.0 {
            *self.0.entry(*bound).or_default() += n;
        }
    }

    /// The duration that this share of all were at most as long as, as Prometheus estimates it: evenly spread between two
    /// bounds, and never beyond the last finite one. `None`: there were none.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        let total = *self.0.last_key_value().filter(|(bound, n)| bound.0.is_infinite() && **n > 0.0)?.1;
        let rank = share * total;
        let (mut from, mut n_below) = (0.0, 0.0);
        for (Bound(bound), n) in &self.0 {
            if *n >= rank && *n > n_below {
                let place = (rank - n_below) / (n - n_below);
                return Some(if bound.is_infinite() { from } else { from + (bound - from) * place });
            }
            (from, n_below) = (*bound, *n);
        }
        None
    }
}

impl Eq for Bound {}

impl PartialOrd for Bound {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Bound {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Exposition {
        Exposition::parse(text).unwrap()
    }

    #[test]
    fn counters_become_rates() {
        let before = told("a_total{k=\"x\"} 10\na_total{k=\"y\"} 1");
        let now = told("a_total{k=\"x\"} 14\na_total{k=\"y\"} 1\na_total{k=\"new\"} 2");
        let change = Change { before: Some(&before), now: &now, seconds: 2.0 };
        assert_eq!(change.rate("a_total"), Some(3.0));
        assert_eq!(change.rate_where("a_total", |series| series.is("k", "x")), Some(2.0));
        assert_eq!(change.rate_where("a_total", |series| series.is("k", "nobody")), Some(0.0));
        assert_eq!(change.rate("b_total"), None);
        assert_eq!(Change { before: None, ..change }.rate("a_total"), None, "one look tells no rate");
    }

    #[test]
    fn a_counter_that_began_anew_counts_from_nought() {
        let before = told("process_start_time_seconds 100\na_total 10\nb_total 10");
        let now = told("process_start_time_seconds 100\na_total 4\nb_total 11");
        let change = Change { before: Some(&before), now: &now, seconds: 1.0 };
        assert_eq!((change.rate("a_total"), change.rate("b_total")), (Some(4.0), Some(1.0)));
    }

    #[test]
    fn a_program_that_was_started_again_began_anew_even_where_it_has_counted_more() {
        let before = told("process_start_time_seconds 100\na_total 10");
        let now = told("process_start_time_seconds 200\na_total 12");
        let change = Change { before: Some(&before), now: &now, seconds: 4.0 };
        assert_eq!(change.rate("a_total"), Some(3.0));
    }

    const BEFORE: &str = "t_bucket{le=\"0.1\"} 100\nt_bucket{le=\"0.2\"} 100\nt_bucket{le=\"+Inf\"} 100";

    fn buckets(now: &str) -> Buckets {
        Change { before: Some(&told(BEFORE)), now: &told(now), seconds: 1.0 }.buckets("t")
    }

    #[test]
    fn histograms_become_quantiles_of_what_was_counted_in_between() {
        let some = buckets("t_bucket{le=\"0.1\"} 100\nt_bucket{le=\"0.2\"} 110\nt_bucket{le=\"+Inf\"} 110");
        assert!((some.quantile(0.5).unwrap() - 0.15).abs() < 1e-9, "{some:?}");
        let slow = buckets("t_bucket{le=\"0.1\"} 100\nt_bucket{le=\"0.2\"} 101\nt_bucket{le=\"+Inf\"} 110");
        assert_eq!(slow.quantile(0.99), Some(0.2), "not beyond the last bound");
        assert_eq!(buckets(BEFORE).quantile(0.5), None, "nothing happened");
        assert_eq!(Buckets::default().quantile(0.5), None);
        let mut both = some;
        both.add(&slow);
        assert!((both.quantile(0.5).unwrap() - (0.1 + 0.1 * 10.0 / 11.0)).abs() < 1e-9, "{both:?}");
    }

    #[test]
    fn a_histogram_that_began_anew_counts_from_nought() {
        let anew = buckets("t_bucket{le=\"0.1\"} 0\nt_bucket{le=\"0.2\"} 4\nt_bucket{le=\"+Inf\"} 4");
        assert!((anew.quantile(0.5).unwrap() - 0.15).abs() < 1e-9, "{anew:?}");
    }
}
