//! The conversations' log on NATS JetStream.

mod access;
mod api;
mod append;
mod backlog;
mod config;
mod create;
mod end;
mod follow;
mod jetstream;
mod layout;
mod leader;
mod link;
mod mend;
mod metrics;
mod provision;
mod read;
mod renew;
mod scan;

pub use access::{Access, BadSeed, BadUrl};
pub use config::NatsConfig;
pub use jetstream::JetStream;
pub use link::State;
pub use provision::{Outcome, ProvisionError, Provisioned, StreamSettings, provision};
pub use renew::begin_behind;
