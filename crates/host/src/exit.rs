//! How a program ends: one line for people, a code for machines.

use std::io::Write as _;
use std::process::{self, ExitCode};

use crate::lifecycle::EndedEarly;

/// Exit code of a failure while running.
pub const FAILED: u8 = 1;
/// Exit code of a start that the settings, or the place it was started in, made impossible.
pub const MISCONFIGURED: u8 = 2;
/// Exit code of an end that did not wait for everything to be finished.
pub const ENDED_EARLY: u8 = 3;

/// The program cannot start like this. Its text names the setting and the mend, in one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Misconfigured(String);

impl Misconfigured {
    /// `setting` is what somebody can change, `trouble` what is wrong with it and what to do.
    pub fn new(setting: &str, trouble: impl std::fmt::Display) -> Self {
        Self(format!("{setting}: {trouble}"))
    }
}

/// Says on standard error, in one line, why it ended, and gives the exit code for it. Ends the process at once if
/// the program ended early.
pub fn report(program: &str, outcome: Result<(), anyhow::Error>) -> ExitCode {
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    say(program, &format!("{error:#}"));
    let code = code(&error);
    if code == ENDED_EARLY {
        // Returning would wait for threads that are still at work.
        process::exit(code.into());
    }
    code.into()
}

/// One line on standard error.
pub(crate) fn say(program: &str, text: &str) {
    let line = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    // Nobody is left to tell if this fails.
    let _ = writeln!(std::io::stderr(), "{program}: {line}");
}

fn code(error: &anyhow::Error) -> u8 {
    if error.downcast_ref::<Misconfigured>().is_some() {
        MISCONFIGURED
    } else if error.downcast_ref::<EndedEarly>().is_some() {
        ENDED_EARLY
    } else {
        FAILED
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn the_code_tells_the_kind_of_end() {
        let misconfigured = Err::<(), _>(Misconfigured::new("PORT", "taken")).context("binding").unwrap_err();
        assert_eq!(code(&misconfigured), MISCONFIGURED);
        assert_eq!(code(&EndedEarly::Deadline.into()), ENDED_EARLY);
        assert_eq!(code(&anyhow::anyhow!("other")), FAILED);
    }
}
