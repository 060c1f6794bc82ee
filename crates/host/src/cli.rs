//! Reading the settings: the only place that looks at the command line and the environment.

use std::path::PathBuf;
use std::process;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, Parser};

use crate::exit;
use crate::telemetry::TelemetryConfig;
use crate::traces::TracesConfig;

/// Settings that every service has.
#[derive(Debug, Clone, clap::Args)]
pub struct HostConfig {
    /// How and what to log.
    #[command(flatten)]
    pub telemetry: TelemetryConfig,
    /// Where traces go.
    #[command(flatten)]
    pub traces: TracesConfig,
    /// Seconds that work in hand gets to finish after SIGTERM. Below the 30 that Kubernetes waits before it kills.
    #[arg(long, env = "DRAIN_SECONDS", default_value_t = 25)]
    pub drain_seconds: u64,
    /// File that is told the listening addresses, as JSON, once they are taken.
    #[arg(long, env = "ADDRESSES_FILE", hide_short_help = true)]
    pub addresses_file: Option<PathBuf>,
    /// Only asks the program that runs with the same settings whether it is ready: ends with 0 if so, else with 1. For
    /// health checks where there is no shell.
    #[arg(long, hide_short_help = true)]
    pub probe: bool,
}

impl HostConfig {
    /// See [`HostConfig::drain_seconds`].
    pub fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }
}

/// The settings. Ends the process with one line that names the wrong one, if one is.
pub fn parse<C: Parser>() -> C {
    match C::try_parse() {
        Ok(settings) => settings,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => error.exit(),
        Err(error) => {
            let command = C::command();
            exit::say(command.get_name(), &one_line(&command, &error));
            process::exit(exit::MISCONFIGURED.into())
        }
    }
}

fn one_line(command: &Command, error: &clap::Error) -> String {
    let text = error.to_string();
    let complaint = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    let complaint = complaint.strip_prefix("error: ").unwrap_or(&complaint);
    let variable = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument)) => variable_of(command, argument),
        _ => None,
    };
    let variable = variable.map(|name| format!(" (also set by {name})")).unwrap_or_default();
    format!("{complaint}{variable}; see `{} --help`", command.get_name())
}

/// The environment variable that sets the argument clap calls `--name <VALUE>`.
fn variable_of(command: &Command, argument: &str) -> Option<String> {
    let long = argument.strip_prefix("--")?.split([' ', '=']).next()?;
    let here = command.get_arguments().find(|candidate| candidate.get_long() == Some(long));
    let variable = here.and_then(|found| found.get_env()).map(|name| name.to_string_lossy().into_owned());
    variable.or_else(|| command.get_subcommands().find_map(|inner| variable_of(inner, argument)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Parser)]
    #[command(name = "demo")]
    struct Demo {
        #[arg(long, env = "HOST_CLI_TEST_SIZE")]
        #[allow(dead_code)]
        size: u8,
    }

    fn complaint(arguments: &[&str]) -> String {
        let error = Demo::try_parse_from(arguments).unwrap_err();
        one_line(&<Demo as clap::CommandFactory>::command(), &error)
    }

    #[test]
    fn a_complaint_is_one_line_that_names_the_setting() {
        let text = complaint(&["demo", "--size", "many"]);
        assert!(text.contains("'many'") && text.contains("--size") && text.contains("HOST_CLI_TEST_SIZE"), "{text}");
        let text = complaint(&["demo", "--sise", "1"]);
        assert!(text.contains("--sise") && text.contains("demo --help") && !text.contains('\n'), "{text}");
        let text = complaint(&["demo"]);
        assert!(text.contains("--size"), "{text}");
    }
}
