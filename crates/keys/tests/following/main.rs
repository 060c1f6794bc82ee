//! Programs that follow keys which are kept elsewhere.

mod encryption;
mod issuer;
mod rotation;

use clap::Parser as _;
use natter_keys::config::TokenConfig;

#[derive(Debug, clap::Parser)]
struct Program {
    #[command(flatten)]
    tokens: TokenConfig,
}

fn config(arguments: &[String]) -> TokenConfig {
    Program::try_parse_from([&["program".to_owned()], arguments].concat()).expect("good settings").tokens
}
