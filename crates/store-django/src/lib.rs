//! The database of a Django Channels chat, on Postgres or SQLite: what it looks like, and its rows as Natter has them.

mod accounts;
mod cells;
mod conversations;
pub mod database;
pub mod django;
pub mod error;
pub mod layout;
mod messages;
pub mod mirror;
pub mod tables;
mod tokens;
pub mod unfit;
mod value;
