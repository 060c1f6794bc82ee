//! The layer against what channels_redis was recorded to do.

mod core;
mod names;
mod pubsub;
mod recorded;
