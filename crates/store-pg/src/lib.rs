//! The stores on Postgres: [`PgAccounts`] in the schema `authz`, [`PgMessages`] in the schema `persistence`. Each has
//! connections, tables and migrations of its own, so that each can live on a server of its own.

mod accounts;
mod apply;
mod database;
mod error;
mod evidence;
mod import;
mod messages;
mod migrate;
mod rights;
mod row;
mod value;

pub use accounts::PgAccounts;
pub use database::BadUrl;
pub use messages::PgMessages;
pub use migrate::MigrateError;
pub use value::PgTime;
