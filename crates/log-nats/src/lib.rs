//! The conversations' log on NATS JetStream.

mod api;
mod append;
mod backlog;
mod end;
mod follow;
mod jetstream;
mod layout;
mod leader;
mod link;
mod mend;
mod provision;
mod read;
mod renew;
mod scan;

pub use jetstream::JetStream;
pub use link::{BadUrl, State};
pub use provision::{Outcome, ProvisionError, Provisioned, StreamSettings, provision};
pub use renew::begin_behind;
