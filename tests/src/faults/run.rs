//! One run: starts everything, injects faults until the time is up, and has the history judged.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::FutureExt as _;

use crate::faults::board::Board;
use crate::faults::crowd::{Crowd, Layout, Places};
use crate::faults::history::History;
use crate::faults::inject::inject;
use crate::faults::judge::{Finding, Wrong, judge};
use crate::faults::kind::Kind;
use crate::faults::report::{Report, Window};
use crate::faults::schedule::{Fault, Lengths, Schedule};
use crate::faults::system::{Size, System, within};

/// Faults after which something did not come back, before a run gives up.
const MAX_STUCK: usize = 3;

/// What a run is.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How long faults are injected.
    pub duration: Duration,
    /// What makes it repeatable.
    pub seed: u64,
    /// Which faults.
    pub kinds: Vec<Kind>,
    /// How long they last.
    pub lengths: Lengths,
    /// The clients.
    pub layout: Layout,
    /// Where a failed run is kept.
    pub keep_in: PathBuf,
}

const SIZE: Size = Size { n_edges: 2, n_authz: 2, n_persistence: 2, n_nats: 3 };

/// Runs it and prints how it goes.
pub async fn run(plan: &Plan) -> Report {
    let mut system = System::start(SIZE, &plan.layout.world()).await;
    let mut kinds = plan.kinds.clone();
    if system.disk.is_none() {
        println!("disk-full is left out: nothing can be mounted here");
        kinds.retain(|kind| *kind != Kind::DiskFull);
    }
    let edges: Vec<_> = system.lines.client_edge.iter().map(|line| line.address()).collect();
    let crowd = Crowd::start(plan.layout, plan.seed, &edges, Places::Anywhere);
    let board = std::sync::Arc::clone(&crowd.board);
    let mut report = Report { seed: plan.seed, ..Report::default() };
    match within("every client works", async || board.cut_off_since(0).is_empty().then_some(())).await {
        Ok(()) => disturb(plan, kinds, &mut system, &board, &mut report).await,
        Err(late) => report.findings.push(stuck(&board, format!("{late}: {:?}", board.cut_off_since(0)))),
    }
    let (streams, senders, late) = crowd.finish(&system).await;
    let history = History { rows: system.rows(), marks: system.marks(), senders, streams };
    report.findings.extend(late);
    report.findings.extend(judge(&history));
    report.findings.sort_by_key(|finding| finding.at);
    let n_events = history.streams.iter().map(|stream| stream.told.len()).sum();
    report.n_judged = (board.n_acknowledged(), n_events, history.rows.len());
    println!("\n{report}");
    if !report.is_clean() {
        keep(plan, &system, &history, &report);
    }
    report
}

async fn disturb(plan: &Plan, kinds: Vec<Kind>, system: &mut System, board: &Board, report: &mut Report) {
    let end = board.now() + u32::try_from(plan.duration.as_millis()).unwrap_or(u32::MAX);
    let mut n_stuck = 0;
    for fault in Schedule::new(plan.seed, kinds, plan.lengths) {
        if board.now() >= end || n_stuck == MAX_STUCK {
            break;
        }
        let n_before = board.n_acknowledged();
        let from = board.now();
        board.look(n_before);
        // A panic of the harness tells what did not come; the rest of the run still tells what came of it.
        let outcome = AssertUnwindSafe(inject(system, fault, board)).catch_unwind().await;
        let healed = board.now();
        let whom = match outcome {
            Ok(Ok(whom)) => whom,
            Ok(Err(wrong)) => {
                report.findings.push(stuck(board, format!("{}: {wrong}", fault.kind)));
                String::new()
            }
            Err(panic) => {
                report.findings.push(stuck(board, format!("{}: {}", fault.kind, words_of(&*panic))));
                n_stuck = MAX_STUCK;
                String::new()
            }
        };
        if let Err(late) = recover(system, board, healed).await {
            report.findings.push(stuck(board, format!("{} ({whom}): {late}", fault.kind)));
            n_stuck += 1;
        }
        let recovery = board.now() - healed;
        let look = board.look(n_before);
        let window = Window { kind: fault.kind.to_string(), from, look, recovery };
        tell(&fault, &window, &whom, report.windows.len() + 1);
        report.windows.push(window);
    }
}

async fn recover(system: &mut System, board: &Board, healed: u32) -> Result<(), String> {
    system.recovers().await?;
    let all_work =
        within("everything works for every client", async || board.cut_off_since(healed).is_empty().then_some(()));
    all_work.await.map_err(|late| format!("{late}; not for {:?}", board.cut_off_since(healed)))
}

fn tell(fault: &Fault, window: &Window, whom: &str, number: usize) {
    let seconds = |ms: u32| f64::from(ms) / 1000.0;
    println!(
        "{number:>4} at {:>7.1} s  {:<28} {whom:<32} back {:>5.1} s, stalled: acks {:>5.1} s, deliveries {:>5.1} s",
        seconds(window.from),
        fault.kind.to_string(),
        seconds(window.recovery),
        seconds(window.look.ack_stall),
        seconds(window.look.delivery_stall)
    );
}

fn stuck(board: &Board, text: String) -> Finding {
    println!("WRONG: {text}");
    Finding { wrong: Wrong::Stuck, at: board.now(), text }
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words").to_owned()
}

fn keep(plan: &Plan, system: &System, history: &History, report: &Report) {
    let folder = plan.keep_in.join(format!("seed-{}-{}", plan.seed, std::process::id()));
    let write = || -> std::io::Result<()> {
        std::fs::create_dir_all(&folder)?;
        system.keep_logs(&folder);
        std::fs::write(folder.join("report.txt"), report.to_string())?;
        let mut findings = BufWriter::new(File::create(folder.join("findings.txt"))?);
        report.findings.iter().try_for_each(|finding| writeln!(findings, "{finding}"))?;
        let file = BufWriter::new(File::create(folder.join("history.json"))?);
        Ok(serde_json::to_writer(file, history)?)
    };
    match write() {
        Ok(()) => println!("Logs and history: {}", folder.display()),
        Err(error) => println!("Logs and history could not be kept in {}: {error}", folder.display()),
    }
}
