//! What is told of each kind of program.

use crate::top::cell::Cell;
use crate::top::change::Change;
use crate::top::exposition::{Exposition, Series};

/// A kind of program. One process that does everything is of several.
#[derive(Debug)]
pub(crate) struct Tier {
    /// Its name.
    pub name: &'static str,
    /// What only these programs count.
    mark: &'static str,
    /// Most important first: the last ones go where there is no room.
    pub columns: &'static [Column],
}

/// A figure of each program of a tier.
pub(crate) struct Column {
    /// For machines.
    pub key: &'static str,
    /// For people.
    pub title: &'static str,
    figure: fn(&Change<'_>) -> Cell,
}

/// All tiers, in the order in which they are told.
pub(crate) const TIERS: [Tier; 5] = [
    Tier { name: "edge", mark: "natter_connections_limit", columns: EDGE },
    Tier { name: "persistence", mark: "natter_fold_lag_records", columns: PERSISTENCE },
    Tier { name: "authz", mark: "natter_log_ins_total", columns: AUTHZ },
    Tier { name: "redis-adapter", mark: "natter_channels_groups", columns: REDIS_ADAPTER },
    Tier { name: "mirror", mark: "natter_mirror_lag_records", columns: MIRROR },
];

/// Frames that tell what happened in a conversation.
const EVENTS: [&str; 4] = ["chat_message", "read_receipt", "edit", "delete"];

const EDGE: &[Column] = &[
    column("connections", "conns", |change| gauge(change, "natter_connections")),
    column("connections_limit", "limit", |change| gauge(change, "natter_connections_limit")),
    column("rooms", "rooms", |change| gauge(change, "natter_rooms")),
    column("frames_received_per_second", "in/s", |change| rate(change, "natter_frames_received_total")),
    column("frames_sent_per_second", "out/s", |change| rate(change, "natter_frames_sent_total")),
    column("deliveries_per_second", "deliv/s", deliveries),
    column("append_p50_seconds", "app p50", |change| quantile(change, "natter_append_seconds", 0.5)),
    column("append_p99_seconds", "app p99", |change| quantile(change, "natter_append_seconds", 0.99)),
    column("delivery_p50_seconds", "dlv p50", |change| quantile(change, "natter_delivery_seconds", 0.5)),
    column("delivery_p99_seconds", "dlv p99", |change| quantile(change, "natter_delivery_seconds", 0.99)),
    column("connections_behind", "behind", |change| gauge(change, "natter_connections_behind")),
    column("connections_blocked", "slow", |change| gauge(change, "natter_connections_blocked")),
    column("refusals_per_second", "refused/s", |change| or_nought(change, "natter_refusals_total")),
    column("closes_per_second", "closed/s", |change| or_nought(change, "natter_closes_total")),
    CPU,
    MEMORY,
    UP,
];

const PERSISTENCE: &[Column] = &[
    column("records_per_second", "events/s", |change| rate(change, "natter_fold_records_total")),
    column("batch_records", "batch", batch),
    column("batch_p99_seconds", "batch p99", |change| quantile(change, "natter_fold_batch_seconds", 0.99)),
    column("lag_records", "lag", |change| gauge(change, "natter_fold_lag_records")),
    column("lag_seconds", "lag time", |change| Cell::Seconds(change.now.sum("natter_fold_lag_seconds"))),
    column("quarantined", "quarantine", |change| gauge(change, "natter_fold_quarantined_total")),
    column("handed_back_per_second", "back/s", |change| rate(change, "natter_fold_handed_back_total")),
    CPU,
    MEMORY,
    UP,
];

const AUTHZ: &[Column] = &[
    column("log_ins_per_second", "logins/s", |change| rate(change, "natter_log_ins_total")),
    column("log_ins_refused_per_second", "refused/s", |change| {
        Cell::Rate(change.rate_where("natter_log_ins_total", |series| !series.is("outcome", "logged_in")))
    }),
    column("token_keys", "keys", |change| gauge(change, "natter_token_keys")),
    CPU,
    MEMORY,
    UP,
];

const REDIS_ADAPTER: &[Column] = &[
    column("published_per_second", "to Django/s", |change| rate(change, "natter_channels_published_total")),
    column("relayed_per_second", "from Django/s", |change| rate(change, "natter_channels_relayed_total")),
    column("skipped_per_second", "skipped/s", |change| rate(change, "natter_channels_skipped_total")),
    column("lag_records", "lag", |change| gauge(change, "natter_channels_lag_records")),
    column("waiting", "waiting", |change| gauge(change, "natter_channels_waiting")),
    column("groups", "groups", |change| gauge(change, "natter_channels_groups")),
    CPU,
    MEMORY,
    UP,
];

const MIRROR: &[Column] = &[
    column("records_per_second", "events/s", |change| rate(change, "natter_mirror_records_total")),
    column("rows_per_second", "rows/s", |change| rate(change, "natter_mirror_rows_total")),
    column("lag_records", "lag", |change| gauge(change, "natter_mirror_lag_records")),
    column("skipped", "skipped", |change| gauge(change, "natter_mirror_skipped_total")),
    CPU,
    MEMORY,
    UP,
];

const CPU: Column = column("cpu_cores", "cpu", |change| Cell::Share(change.rate("process_cpu_seconds_total")));
const MEMORY: Column =
    column("memory_bytes", "memory", |change| Cell::Bytes(change.now.sum("process_resident_memory_bytes")));
const UP: Column = column("up_seconds", "up", up);

const fn column(key: &'static str, title: &'static str, figure: fn(&Change<'_>) -> Cell) -> Column {
    Column { key, title, figure }
}

impl Tier {
    /// Is the program that told this one of them?
    pub(crate) fn has(&self, told: &Exposition) -> bool {
        told.has(self.mark)
    }
}

impl Column {
    /// What it says of one program.
    pub(crate) fn figure(&self, change: &Change<'_>) -> Cell {
        (self.figure)(change)
    }
}

impl std::fmt::Debug for Column {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.key)
    }
}

/// Is it a frame that tells what happened in a conversation?
pub(crate) fn is_delivery(series: &Series) -> bool {
    series.label("type").is_some_and(|kind| EVENTS.contains(&kind))
}

fn deliveries(change: &Change<'_>) -> Cell {
    Cell::Rate(change.rate_where("natter_frames_sent_total", is_delivery))
}

fn batch(change: &Change<'_>) -> Cell {
    let batches = change.increase("natter_fold_batches_total").filter(|n| *n > 0.0);
    Cell::Count(batches.and_then(|batches| Some(change.increase("natter_fold_records_total")? / batches)))
}

fn up(change: &Change<'_>) -> Cell {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    Cell::Seconds(change.now.sum("process_start_time_seconds").map(|started| (now - started).max(0.0)))
}

fn gauge(change: &Change<'_>, name: &str) -> Cell {
    Cell::Count(change.now.sum(name))
}

fn rate(change: &Change<'_>, name: &str) -> Cell {
    Cell::Rate(change.rate(name))
}

/// For what is told only once it has happened.
fn or_nought(change: &Change<'_>, name: &str) -> Cell {
    Cell::Rate(change.before.map(|_| change.rate(name).unwrap_or_default()))
}

fn quantile(change: &Change<'_>, name: &str, share: f64) -> Cell {
    Cell::Seconds(change.buckets(name).quantile(share))
}
