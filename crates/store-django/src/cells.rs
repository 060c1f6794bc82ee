//! One row of either database, cell by cell: what cannot be read is a reason, not an end.

use natter_model::timestamp::Timestamp;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use crate::value::Time;

/// A row. `None` is SQL's NULL.
pub(crate) trait Cells {
    /// A number.
    fn int(&self, column: &str) -> Result<Option<i64>, String>;
    /// A text.
    fn text(&self, column: &str) -> Result<Option<String>, String>;
    /// A yes or no.
    fn flag(&self, column: &str) -> Result<Option<bool>, String>;
    /// A moment.
    fn time(&self, column: &str) -> Result<Option<Timestamp>, String>;
}

macro_rules! cells {
    ($row:ty) => {
        impl Cells for $row {
            fn int(&self, column: &str) -> Result<Option<i64>, String> {
                self.try_get(column).map_err(|error| reason(column, &error))
            }

            fn text(&self, column: &str) -> Result<Option<String>, String> {
                self.try_get(column).map_err(|error| reason(column, &error))
            }

            fn flag(&self, column: &str) -> Result<Option<bool>, String> {
                self.try_get(column).map_err(|error| reason(column, &error))
            }

            fn time(&self, column: &str) -> Result<Option<Timestamp>, String> {
                let time: Result<Option<Time>, _> = self.try_get(column);
                time.map(|time| time.map(|time| time.0)).map_err(|error| reason(column, &error))
            }
        }
    };
}

cells!(PgRow);
cells!(SqliteRow);

fn reason(column: &str, error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::ColumnDecode { source, .. } => format!("its {column} cannot be read: {source}"),
        other => format!("its {column} cannot be read: {other}"),
    }
}
