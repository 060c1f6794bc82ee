//! The conversations' log on NATS JetStream.

mod api;
mod append;
mod backlog;
mod follow;
mod jetstream;
mod layout;
mod leader;
mod link;
mod provision;
mod read;

pub use jetstream::JetStream;
pub use link::{BadUrl, State};
pub use provision::{Outcome, ProvisionError, Provisioned, StreamSettings, provision};
