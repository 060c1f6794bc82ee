//! Natter in one process, and the commands that prepare and look after a Natter of several.

mod account;
mod cli;
mod demo;
mod folder;
mod greeting;
mod in_process;
mod migrate;
mod provision;
mod serve;
mod signing;

use std::process::ExitCode;

use natter_host::exit;

use crate::cli::{AccountCommand, Cli, Command};

#[tokio::main]
async fn main() -> ExitCode {
    let cli: Cli = natter_host::cli::parse();
    let program = std::env::args().next().unwrap_or_else(|| "natter".to_owned());
    let outcome = match &cli.command {
        None => serve::run(&cli.serve, &program).await,
        Some(Command::Provision(config)) => provision::run(config).await,
        Some(Command::Migrate(config)) => migrate::run(config).await,
        Some(Command::Account { command: AccountCommand::Create(config) }) => account::create(config).await,
    };
    exit::report("natter", outcome)
}
