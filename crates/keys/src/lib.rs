//! Whose tokens are good: the keys that sign and verify them, from settings, files and a URL, replaced without a restart.

pub mod config;
mod fetch;
mod key_file;
mod keys;
mod metrics;
mod source;
mod tokens;

pub use keys::Keys;
pub use tokens::{Tokens, Unverified};
