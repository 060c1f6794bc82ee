//! What a storm costs the servers.

use std::time::Duration;

use natter_tests::stack::Stack;

/// The kernel counts processor time in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;

/// What has been used up to some moment.
pub(crate) struct Costs {
    processor: Vec<(&'static str, f64)>,
    catch_ups: Vec<(&'static str, f64)>,
}

impl Costs {
    /// Up to now.
    pub(crate) async fn now(stack: &Stack) -> Self {
        let mut deployment = stack.deployment().await;
        let mut processor = Vec::new();
        for name in ["edge-1", "authz", "persistence-1"] {
            processor.push((name, processor_seconds(deployment.service(name).running().id())));
        }
        let nats = deployment.servers().nats.process().expect("NATS runs").id();
        processor.push(("nats", processor_seconds(nats)));
        let counted = deployment.service("edge-1").metrics().await;
        let of = |source| counted.value(&format!("natter_catch_up_events_total{{source=\"{source}\"}}"));
        let catch_ups = ["window", "store", "log"].map(|source| (source, of(source))).into();
        Self { processor, catch_ups }
    }

    /// Prints what was used since.
    pub(crate) async fn tell_since(&self, stack: &Stack) {
        let now = Self::now(stack).await;
        for ((name, before), (_, after)) in self.processor.iter().zip(&now.processor) {
            println!("{name}: {:.2} s of processor time", after - before);
        }
        for ((source, before), (_, after)) in self.catch_ups.iter().zip(&now.catch_ups) {
            println!("events caught up on from the {source}: {}", after - before);
        }
    }
}

fn processor_seconds(id: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("the process runs");
    // The name of the program may hold blanks; it ends with the last parenthesis.
    let numbers = stat.rsplit_once(')').map_or("", |(_, numbers)| numbers);
    let ticks: f64 = numbers.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    ticks / TICKS_PER_SECOND
}

/// The time that this part of them took at most.
pub(crate) fn quantile(times: &mut [Duration], part: f64) -> Duration {
    times.sort_unstable();
    let last = times.len().saturating_sub(1);
    times.get((last as f64 * part).ceil() as usize).copied().unwrap_or_default()
}
