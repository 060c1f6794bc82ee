//! Persistence: folds the log into the store, and tells what has been said.

mod apply;
mod catch_up;
pub mod config;
pub mod fold;
pub mod history;
pub mod lag;
mod metrics;
mod read_repair;
mod reply;
mod resend;
