//! The servers that Natter stands on.

pub mod guard;
pub mod jetstream;
pub mod nats;
pub mod postgres;
pub mod redis;
