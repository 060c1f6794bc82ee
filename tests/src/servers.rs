//! The servers that Natter stands on.

pub mod nats;
pub mod postgres;
