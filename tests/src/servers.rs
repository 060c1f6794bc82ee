//! The servers that Natter stands on.

pub mod jetstream;
pub mod nats;
pub mod postgres;
