//! What one look at a system says, in tables.

use serde_json::{Map, Value, json};

use crate::top::cell::Cell;
use crate::top::change::{Buckets, Change};
use crate::top::system::System;
use crate::top::tier::{TIERS, Tier, is_delivery};

/// All that is told after one look.
#[derive(Debug)]
pub(crate) struct Report {
    /// Of all programs together: key, title, figure.
    pub totals: Vec<(&'static str, &'static str, Cell)>,
    /// One per tier that is there.
    pub tables: Vec<Table>,
    /// Who does not work, and why.
    pub troubles: Vec<Trouble>,
}

/// The programs of a tier.
#[derive(Debug)]
pub(crate) struct Table {
    /// Which.
    pub tier: &'static Tier,
    /// One per program.
    pub rows: Vec<Row>,
}

/// One program.
#[derive(Debug)]
pub(crate) struct Row {
    /// Its ops port.
    pub address: String,
    /// `ready`, or what it is instead.
    pub state: &'static str,
    /// By column. Nothing if it is unreachable.
    pub cells: Vec<Cell>,
}

/// A program that does not work.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// Its ops port.
    pub address: String,
    /// `unreachable` or `not ready`.
    pub state: &'static str,
    /// In words.
    pub why: String,
}

impl Report {
    /// Of what was seen last.
    pub(crate) fn of(system: &System) -> Self {
        let tables = TIERS.iter().map(|tier| table(system, tier)).filter(|table| !table.rows.is_empty()).collect();
        Self { totals: totals(system), tables, troubles: troubles(system) }
    }

    /// For machines. Figures are in base units; `null`: nothing is known of it at this moment.
    pub(crate) fn json(&self) -> Value {
        let totals: Map<String, Value> =
            self.totals.iter().map(|(key, _, cell)| ((*key).to_owned(), cell.json())).collect();
        let tiers: Map<String, Value> =
            self.tables.iter().map(|table| (table.tier.name.to_owned(), table.json())).collect();
        let troubles: Vec<Value> = self
            .troubles
            .iter()
            .map(|trouble| json!({ "address": trouble.address, "state": trouble.state, "why": trouble.why }))
            .collect();
        json!({ "totals": totals, "tiers": tiers, "troubles": troubles })
    }
}

impl Table {
    fn json(&self) -> Value {
        let row = |row: &Row| {
            let cells = self.tier.columns.iter().zip(&row.cells);
            let mut all: Map<String, Value> =
                cells.map(|(column, cell)| (column.key.to_owned(), cell.json())).collect();
            all.insert("address".to_owned(), json!(row.address));
            all.insert("state".to_owned(), json!(row.state));
            Value::Object(all)
        };
        self.rows.iter().map(row).collect()
    }
}

fn table(system: &System, tier: &'static Tier) -> Table {
    let of_tier = system.known().filter(|(_, process)| process.told().is_some_and(|told| tier.has(told)));
    let rows = of_tier.map(|(address, process)| {
        let figures = |change: Change<'_>| tier.columns.iter().map(|column| column.figure(&change)).collect();
        let cells = process.change().map(figures).unwrap_or_default();
        Row { address: address.to_string(), state: process.state(), cells }
    });
    Table { tier, rows: rows.collect() }
}

fn troubles(system: &System) -> Vec<Trouble> {
    let unreachable =
        system.unreachable().into_iter().map(|(address, why)| Trouble { address, state: "unreachable", why });
    let waiting = system.known().flat_map(|(address, process)| {
        process.waiting_for().map(move |(need, why)| Trouble {
            address: address.to_string(),
            state: "not ready",
            why: format!("waits for {need}: {why}"),
        })
    });
    unreachable.chain(waiting).collect()
}

fn totals(system: &System) -> Vec<(&'static str, &'static str, Cell)> {
    let all: Vec<Change<'_>> = system.known().filter_map(|(_, process)| process.change()).collect();
    let gauge = |name: &str| sum(all.iter().map(|change| change.now.sum(name)));
    let rate = |name: &str| Cell::Rate(sum(all.iter().map(|change| change.rate(name))));
    // What everybody says of the one log, and what replicas say of the one store.
    let highest = |name: &str| all.iter().filter_map(|change| change.now.sum(name)).reduce(f64::max);
    let quantile = |name: &str, share| {
        let mut buckets = Buckets::default();
        all.iter().for_each(|change| buckets.add(&change.buckets(name)));
        Cell::Seconds(buckets.quantile(share))
    };
    let taken =
        all.iter().map(|change| change.rate_where("natter_appends_total", |series| series.is("outcome", "taken")));
    let deliveries = all.iter().map(|change| change.rate_where("natter_frames_sent_total", is_delivery));
    let remembered = all
        .iter()
        .map(|change| change.increase_where("natter_admissions_total", |series| series.is("source", "cache")));
    let (remembered, asked) =
        (sum(remembered), sum(all.iter().map(|change| change.increase("natter_admissions_total"))));
    let from_memory = remembered.zip(asked).filter(|(_, asked)| *asked > 0.0).map(|(some, all)| some / all);
    vec![
        ("connections", "connected", Cell::Count(gauge("natter_connections"))),
        ("connections_limit", "of at most", Cell::Count(gauge("natter_connections_limit"))),
        ("rooms", "rooms", Cell::Count(gauge("natter_rooms"))),
        ("appends_per_second", "appended/s", Cell::Rate(sum(taken))),
        ("deliveries_per_second", "delivered/s", Cell::Rate(sum(deliveries))),
        ("append_p50_seconds", "append p50", quantile("natter_append_seconds", 0.5)),
        ("append_p99_seconds", "append p99", quantile("natter_append_seconds", 0.99)),
        ("delivery_p50_seconds", "delivery p50", quantile("natter_delivery_seconds", 0.5)),
        ("delivery_p99_seconds", "delivery p99", quantile("natter_delivery_seconds", 0.99)),
        ("refusals_per_second", "refused/s", rate("natter_refusals_total")),
        ("lag_records", "store behind", Cell::Count(highest("natter_fold_lag_records"))),
        ("lag_seconds", "by", Cell::Seconds(highest("natter_fold_lag_seconds"))),
        ("authz_calls_per_second", "authz calls/s", rate("natter_authz_seconds_count")),
        ("authz_p99_seconds", "authz p99", quantile("natter_authz_seconds", 0.99)),
        ("admissions_remembered", "answered from memory", Cell::Share(from_memory)),
        ("log_records", "log records", Cell::Count(highest("natter_log_records"))),
        ("log_bytes", "log size", Cell::Bytes(highest("natter_log_bytes"))),
        ("log_replicas_behind", "log replicas behind", Cell::Count(highest("natter_log_replicas_behind"))),
    ]
}

/// `None`: none of them is known.
fn sum(figures: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    figures.flatten().reduce(|some, more| some + more)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::top::system::Process;

    /// An edge with so many connections that has taken `taken` messages.
    fn edge(connections: u32, taken: u32) -> String {
        format!(
            "natter_connections_limit 100\nnatter_connections {connections}\nnatter_rooms 1\n\
             natter_appends_total{{outcome=\"taken\"}} {taken}\nnatter_appends_total{{outcome=\"failed\"}} 7\n\
             natter_admissions_total{{source=\"cache\"}} {taken}\nnatter_admissions_total{{source=\"authz\"}} 0\n\
             natter_frames_sent_total{{type=\"chat_message\"}} {taken}\nnatter_frames_sent_total{{type=\"ack\"}} {taken}\n\
             natter_append_seconds_bucket{{le=\"0.1\"}} {taken}\nnatter_append_seconds_bucket{{le=\"+Inf\"}} {taken}\n"
        )
    }

    pub(crate) fn two_edges() -> System {
        System::of(vec![
            ("10.0.0.1:9090", Process::of(&edge(3, 10), &edge(4, 30), &[])),
            ("10.0.0.2:9090", Process::of(&edge(1, 0), &edge(2, 4), &[("nats", "no stream")])),
        ])
    }

    #[test]
    fn edges_are_told_one_by_one_and_together() {
        let told = Report::of(&two_edges()).json();
        let edges = &told["tiers"]["edge"];
        assert_eq!((&edges[0]["address"], &edges[0]["state"]), (&json!("10.0.0.1:9090"), &json!("ready")));
        assert_eq!((&edges[0]["connections"], &edges[1]["connections"]), (&json!(4.0), &json!(2.0)));
        assert_eq!(
            (&edges[0]["deliveries_per_second"], &edges[0]["frames_sent_per_second"]),
            (&json!(10.0), &json!(20.0))
        );
        assert_eq!(edges[0]["append_p50_seconds"], json!(0.05));
        let totals = &told["totals"];
        assert_eq!((&totals["connections"], &totals["connections_limit"]), (&json!(6.0), &json!(200.0)));
        assert_eq!(totals["appends_per_second"], json!(12.0), "two seconds lie between the looks");
        assert_eq!(totals["admissions_remembered"], json!(1.0));
        assert_eq!(totals["lag_records"], Value::Null, "nobody tells it");
        assert!(told["tiers"]["persistence"].is_null(), "there is none");
    }

    #[test]
    fn who_does_not_work_is_told_with_the_reason() {
        let mut system = two_edges();
        system.loses("10.0.0.1:9090", "connection refused");
        let told = Report::of(&system).json();
        assert_eq!(
            told["troubles"],
            json!([
                {"address": "10.0.0.1:9090", "state": "unreachable", "why": "connection refused"},
                {"address": "10.0.0.2:9090", "state": "not ready", "why": "waits for nats: no stream"},
            ])
        );
        assert_eq!(told["tiers"]["edge"][0], json!({"address": "10.0.0.1:9090", "state": "unreachable"}));
        assert_eq!(told["totals"]["connections"], json!(2.0), "what is not seen does not count");
    }
}
