//! What a client sees: frames in, frames out, error codes and texts, close codes, and Python's way to read values.

pub mod client;
pub mod close;
pub mod kind;
pub mod media;
pub mod problem;
pub mod python;
pub mod query;
pub mod retry;
pub mod server;
