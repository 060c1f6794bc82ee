//! What is stored, as ports; the fold that turns the log into rows; SQLite; and the contract that every store keeps.

pub mod accounts;
pub mod batch;
pub mod changes;
pub mod check;
#[cfg(any(test, feature = "contract"))]
pub mod contract;
pub mod error;
pub mod evidence;
pub mod fold;
mod import;
pub mod messages;
pub mod page;
pub mod resend;
pub mod rights;
pub mod sqlite;
pub mod waiting;
