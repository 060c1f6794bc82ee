//! Natter in one process, and the commands that prepare and look after a Natter of several.

mod account;
mod accounts;
mod cli;
mod demo;
mod folder;
mod greeting;
mod import;
mod in_process;
mod migrate;
mod mirror;
mod pair;
mod participant;
mod provision;
mod repair;
mod serve;
mod signing;
mod token;
mod top;
mod verify;

use std::process::ExitCode;

use natter_host::exit;

use crate::cli::{AccountCommand, Cli, Command, ParticipantCommand, TokenCommand};

#[tokio::main]
async fn main() -> ExitCode {
    let cli: Cli = natter_host::cli::parse();
    let program = std::env::args().next().unwrap_or_else(|| "natter".to_owned());
    let outcome = match &cli.command {
        None => Box::pin(serve::run(&cli.serve, &program)).await,
        Some(Command::Provision(config)) => provision::run(config).await,
        Some(Command::Migrate(config)) => migrate::run(config).await,
        Some(Command::Repair(config)) => repair::run(config).await,
        Some(Command::Verify(config)) => verify::run(config).await,
        Some(Command::ImportDjango(config)) => Box::pin(import::run(config)).await,
        Some(Command::MirrorDjango(config)) => Box::pin(mirror::run(config)).await,
        Some(Command::Top(config)) => Box::pin(top::run(config)).await,
        Some(Command::Token { command: TokenCommand::Revoke(config) }) => token::revoke(config).await,
        Some(Command::Participant { command: ParticipantCommand::Remove(config) }) => participant::remove(config).await,
        Some(Command::Account { command: AccountCommand::Create(config) }) => account::create(config).await,
    };
    exit::report("natter", outcome)
}
