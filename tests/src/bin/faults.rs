//! Breaks the system while clients use it, and tells what they noticed. Started by `tests/faults`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use natter_tests::faults::crowd::Layout;
use natter_tests::faults::kind::Kind;
use natter_tests::faults::run::{Plan, run};
use natter_tests::faults::sabotage::Sabotage;
use natter_tests::faults::schedule::Lengths;

/// Injects faults into a whole system and judges what its clients saw. Exits with 1 if anything is wrong.
#[derive(Debug, Parser)]
struct Settings {
    /// How long faults are injected.
    #[arg(long, default_value_t = 2.0)]
    minutes: f64,
    /// The same seed injects the same faults in the same order.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only these kinds, separated by commas. A wrong one lists them all.
    #[arg(long, value_delimiter = ',')]
    kinds: Vec<Kind>,
    /// Messages that all writers together send. The default is what two processors carry beside all else.
    #[arg(long, default_value_t = if cfg!(debug_assertions) { 120 } else { 330 })]
    messages_per_second: u32,
    /// Conversations, each with 2 writers and 2 readers.
    #[arg(long, default_value_t = 32)]
    conversations: u16,
    /// How long a process stands still at most. Unless given, 30 in runs of 10 minutes and more, else 3.
    #[arg(long)]
    longest_seconds: Option<u64>,
    /// Breaks the edges in this way instead; exits with 1 unless that is found.
    #[arg(long)]
    sabotage: Option<Sabotage>,
    /// Where the logs and the history of a failed run are kept.
    #[arg(long, default_value = "target/faults")]
    keep_in: PathBuf,
}

// Processes end with the thread that starts them, and the main future stays on the main thread.
#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let settings = Settings::parse();
    rlimit::increase_nofile_limit(u64::MAX).expect("the limit can be asked for");
    let is_well = match settings.sabotage {
        Some(sabotage) => is_found(sabotage).await,
        None => run(&settings.plan()).await.is_clean(),
    };
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn is_found(sabotage: Sabotage) -> bool {
    let findings = sabotage.perform(true).await;
    findings.iter().take(20).for_each(|finding| println!("{finding}"));
    let n_expected = findings.iter().filter(|finding| finding.wrong == sabotage.expected()).count();
    println!("{}: {n_expected} findings of {:?}, {} in all", sabotage.name(), sabotage.expected(), findings.len());
    n_expected > 0
}

impl Settings {
    fn plan(&self) -> Plan {
        let longest = self.longest_seconds.unwrap_or(if self.minutes >= 10.0 { 30 } else { 3 });
        Plan {
            duration: Duration::from_secs_f64(self.minutes * 60.0),
            seed: self.seed,
            kinds: if self.kinds.is_empty() { Kind::all() } else { self.kinds.clone() },
            lengths: Lengths { shortest: Duration::from_millis(700), longest: Duration::from_secs(longest) },
            layout: Layout {
                n_conversations: self.conversations,
                n_writers: 2,
                n_readers: 2,
                messages_per_second: self.messages_per_second,
            },
            keep_in: self.keep_in.clone(),
        }
    }
}
