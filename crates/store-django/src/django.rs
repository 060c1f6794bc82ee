//! Django's database, looked at.

use crate::cells::Cells;
use crate::database::{Access, Database};
use crate::error::DjangoError;
use crate::layout::Layout;
use crate::tables::{MIRROR_TABLE, Part, Tables, quoted};
use crate::unfit::present;

/// Before all ids, good ones and others.
pub const BEFORE_ALL: i64 = i64::MIN;

/// A Django chat's database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Django {
    pub(crate) database: Database,
    pub(crate) tables: Tables,
    pub(crate) layout: Layout,
}

/// How much there is of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extent {
    /// How many rows.
    pub n_rows: u64,
    /// The highest id; 0 without rows.
    pub highest: i64,
}

impl Django {
    /// Connects to `postgres://…`, or opens a SQLite file (its path, or `sqlite:` and its path), and looks at the tables.
    pub async fn open(url: &str, tables: Tables, access: Access) -> Result<Self, DjangoError> {
        let database = Database::open(url, access).await?;
        let layout = Layout::inspect(&database, &tables).await?;
        Ok(Self { database, tables, layout })
    }

    /// What the tables look like.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Has a mirror written here? Then rows with ids of Natter's may stand in the tables.
    pub async fn has_mirror(&self) -> Result<bool, DjangoError> {
        Ok(!self.database.columns(MIRROR_TABLE).await?.is_empty())
    }

    /// How many rows this table has behind `after`, none behind `through`, and how far their ids go.
    pub async fn extent(&self, part: Part, after: i64, through: i64) -> Result<Extent, DjangoError> {
        let table = self.table(part);
        let sql = format!(
            "SELECT count(*) AS n_rows, CAST(max(id) AS bigint) AS highest FROM {table} WHERE id > $1 AND id <= $2"
        );
        let extent = |row: &dyn Cells| {
            let n_rows = present("number", row.int("n_rows"))?;
            Ok(Extent { n_rows: n_rows.unsigned_abs(), highest: row.int("highest")?.unwrap_or(0) })
        };
        let mut extents = self.database.rows(&sql, &[after, through], extent).await?;
        extents.pop().unwrap_or_else(|| Ok(Extent::default())).map_err(DjangoError::Unavailable)
    }

    /// Up to `limit` ids of this table behind `after`, none behind `through`, in order.
    pub async fn ids(&self, part: Part, after: i64, through: i64, limit: usize) -> Result<Vec<i64>, DjangoError> {
        let sql = format!(
            "SELECT CAST(id AS bigint) AS id FROM {} WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3",
            self.table(part)
        );
        let parameters = [after, through, i64::try_from(limit).unwrap_or(i64::MAX)];
        let ids = self.database.rows(&sql, &parameters, |row| present("id", row.int("id"))).await?;
        ids.into_iter().collect::<Result<_, _>>().map_err(DjangoError::Unavailable)
    }

    /// The table's name as SQL has it.
    pub(crate) fn table(&self, part: Part) -> String {
        quoted(self.tables.name(part))
    }

    /// A time's column, as `Cells::time` reads it: from SQLite as text, whatever the column is declared as.
    pub(crate) fn time_sql(&self, column: &str) -> String {
        match self.database {
            Database::Postgres(_) => column.to_owned(),
            Database::Sqlite(_) => format!("CAST({column} AS text)"),
        }
    }
}
