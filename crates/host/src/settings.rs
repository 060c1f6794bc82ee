//! What a program was told, for the log: names and values, and of secrets only that they are there.

use std::any::TypeId;
use std::ffi::OsStr;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, Parser};
use tracing::info;

use crate::secret::Secret;

/// Logs, in one line, what is set otherwise than by default, once it is known to be right: a start that is refused says why,
/// and nothing else. Looks at the command line and the environment once more; for programs without commands.
pub fn log<C: Parser>() {
    let command = C::command();
    // What cannot be read was refused before.
    let Ok(matches) = command.clone().try_get_matches() else { return };
    info!(version = command.get_version(), settings = told(&command, &matches), "starting");
}

fn told(command: &Command, matches: &ArgMatches) -> String {
    let is_default = |source| source == ValueSource::DefaultValue;
    let set = command.get_arguments().filter(|argument| {
        matches.try_contains_id(argument.get_id().as_str()).is_ok()
            && matches.value_source(argument.get_id().as_str()).is_some_and(|source| !is_default(source))
    });
    set.map(|argument| format!("{}={}", name(argument), value(argument, matches))).collect::<Vec<_>>().join(" ")
}

/// As in the environment, since that is where most are set.
fn name(argument: &Arg) -> String {
    let variable = argument.get_env().map(|variable| variable.to_string_lossy().into_owned());
    variable.unwrap_or_else(|| format!("--{}", argument.get_long().unwrap_or(argument.get_id().as_str())))
}

fn value(argument: &Arg, matches: &ArgMatches) -> String {
    if argument.is_hide_env_values_set() || argument.get_value_parser().type_id() == TypeId::of::<Secret>() {
        return "[secret]".to_owned();
    }
    let values = matches.get_raw(argument.get_id().as_str()).into_iter().flatten();
    values.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[derive(Debug, Parser)]
    #[command(name = "demo")]
    struct Demo {
        #[arg(long, default_value_t = 1)]
        size: u8,
        #[arg(long, env = "HOST_SETTINGS_TEST_PLACES", value_delimiter = ',')]
        places: Vec<String>,
        #[arg(long, env = "HOST_SETTINGS_TEST_KEY")]
        key: Option<Secret>,
        #[arg(long, env = "HOST_SETTINGS_TEST_URL", hide_env_values = true)]
        url: Option<String>,
        #[arg(long)]
        loud: bool,
    }

    fn told_of(arguments: &[&str]) -> String {
        let matches = Demo::command().try_get_matches_from([&["demo"], arguments].concat()).unwrap();
        told(&Demo::command(), &matches)
    }

    #[test]
    fn what_is_set_is_told_and_no_secret() {
        assert_eq!(told_of(&[]), "");
        assert_eq!(told_of(&["--size", "7", "--places", "a,b"]), "--size=7 HOST_SETTINGS_TEST_PLACES=a,b");
        let secret = told_of(&["--key", "hush", "--url", "x://me:hush@there", "--loud"]);
        assert_eq!(secret, "HOST_SETTINGS_TEST_KEY=[secret] HOST_SETTINGS_TEST_URL=[secret] --loud=true");
    }
}
