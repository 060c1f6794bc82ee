//! How far it is: a bar on a terminal, else a line now and then. On standard error, so that the report stands alone.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::Instant;

/// Time between two lines.
const EVERY: Duration = Duration::from_secs(10);

/// How far the rows of one kind are.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    what: &'static str,
    total: u64,
    done: u64,
    began: Instant,
    said: Instant,
}

impl Progress {
    /// Of so many rows.
    pub(super) fn new(what: &'static str, total: u64) -> Self {
        let target = if stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(total), target).with_prefix(what);
        let style =
            ProgressStyle::with_template("{prefix:>14} {wide_bar} {human_pos}/{human_len} {per_sec} {eta} left");
        bar.set_style(style.expect("the template is a good one"));
        let now = Instant::now();
        Self { bar, what, total, done: 0, began: now, said: now }
    }

    /// So many more are done.
    pub(super) fn advance(&mut self, n: u64) {
        self.done += n;
        // Rows may have come since they were counted.
        self.total = self.total.max(self.done);
        self.bar.set_length(self.total);
        self.bar.inc(n);
        if self.bar.is_hidden() && self.said.elapsed() >= EVERY {
            self.said = Instant::now();
            say(&self.line());
        }
    }

    /// Prints a line of the report without tearing the bar.
    pub(super) fn print(&self, line: &str) {
        self.bar.suspend(|| println!("{line}"));
    }

    /// All are done, or it was stopped.
    pub(super) fn finish(self) {
        match self.bar.is_hidden() {
            true => say(&self.line()),
            false => self.bar.finish(),
        }
    }

    fn line(&self) -> String {
        let Self { what, done, total, .. } = self;
        let seconds = self.began.elapsed().as_secs_f64();
        let rate = *done as f64 / seconds.max(0.001);
        let left = (total - done) as f64 / rate.max(1.0);
        format!("{what}: {done} of {total}, {rate:.0} a second, {left:.0} s left")
    }
}

fn say(line: &str) {
    // Nobody is left to tell if this fails.
    let _ = writeln!(stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_line_tells_rate_and_remaining_time() {
        let mut progress = Progress::new("Messages", 1000);
        tokio::time::advance(Duration::from_secs(2)).await;
        progress.advance(200);
        assert_eq!(progress.line(), "Messages: 200 of 1000, 100 a second, 8 s left");
        progress.advance(1000);
        assert_eq!(progress.line(), "Messages: 1200 of 1200, 600 a second, 0 s left");
    }
}
