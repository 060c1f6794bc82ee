//! The Redis adapter: Django Channels' clients and Natter's are in the same conversations.

pub mod bridge;
pub mod config;
pub mod layer;
mod metrics;
pub mod start;
