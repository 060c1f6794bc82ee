//! What is stored, as ports; the fold that turns the log into rows; SQLite; and the contract that every store keeps.

pub mod accounts;
pub mod batch;
#[cfg(any(test, feature = "contract"))]
pub mod contract;
pub mod error;
pub mod fold;
pub mod messages;
pub mod page;
pub mod sqlite;
pub mod waiting;
