//! How far the mirror has come, and whose turn it is.

use natter_model::id::Position;

use crate::cells::Cells;
use crate::django::Django;
use crate::error::DjangoError;
use crate::mirror::error::MirrorError;
use crate::mirror::line::{Line, Value, Work};
use crate::mirror::{Mirror, in_time};
use crate::tables::MIRROR_TABLE;
use crate::unfit::present;

/// A table of the mirror's own.
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) sql: &'static str,
}

/// One row says where the mirror is. The other table remembers the events of messages that their senders named: one that
/// was sent again after the log had forgotten its name stands there twice, and is one message.
pub(super) const TABLES: [Table; 2] = [
    Table {
        name: MIRROR_TABLE,
        sql: "CREATE TABLE IF NOT EXISTS natter_mirror (
            only_row integer NOT NULL PRIMARY KEY CHECK (only_row = 1),
            position bigint NOT NULL,
            is_finished boolean NOT NULL)",
    },
    Table {
        name: "natter_mirror_sent",
        sql: "CREATE TABLE IF NOT EXISTS natter_mirror_sent (
            event_id varchar(36) NOT NULL PRIMARY KEY,
            message_id bigint NOT NULL)",
    },
];

const READ: &str = "SELECT position, is_finished FROM natter_mirror";
const BEGIN: &str = "
    INSERT INTO natter_mirror (only_row, position, is_finished) VALUES (1, $1, FALSE)
    ON CONFLICT (only_row) DO UPDATE SET position = excluded.position, is_finished = FALSE";
const MOVE: &str = "UPDATE natter_mirror SET position = $2 WHERE position = $1 AND NOT is_finished";
const FINISH: &str = "UPDATE natter_mirror SET is_finished = TRUE WHERE position = $1";

/// The first number says that the lock is a mirror's ("natt"), the second which tables it is about.
const TAKE_TURN: &str = "
    SELECT CASE WHEN pg_try_advisory_lock(1851880564, CAST(CAST(to_regclass('natter_mirror') AS oid) AS integer))
           THEN CAST(1 AS bigint) END AS found";

/// How far the mirror has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Everything up to here is in Django's tables.
    pub position: Position,
    /// Django goes on alone, and has ids behind all of Natter's.
    pub is_finished: bool,
}

impl Mirror {
    /// Only one mirror at a time has its turn, until it is dropped. `false`: another one has it. In SQLite they need not wait
    /// for each other: the whole file is locked for each transaction, and who comes second is [overtaken](MirrorError).
    pub async fn takes_its_turn(&mut self) -> Result<bool, MirrorError> {
        if matches!(self.line, Line::Sqlite(_)) {
            return Ok(true);
        }
        in_time(async {
            let mut work = self.line.begin().await?;
            let is_ours = !work.numbers(TAKE_TURN, &[]).await?.is_empty();
            work.commit().await?;
            Ok(is_ours)
        })
        .await
    }

    /// `None`: it has not begun.
    pub async fn standing(&mut self) -> Result<Option<Standing>, MirrorError> {
        in_time(async { Ok(self.line.begin().await?.rows(READ, &[], of_row).await?.pop()) }).await
    }

    /// From now on everything up to this position is in Django's tables, or shall not be. Also of a mirror that was finished.
    pub async fn begin_at(&mut self, position: Position) -> Result<(), MirrorError> {
        in_time(async {
            let mut work = self.line.begin().await?;
            work.execute(BEGIN, &[Value::Int(position.as_i64())]).await?;
            work.commit().await
        })
        .await
    }
}

/// In the transaction that does what stands in between.
pub(super) async fn advance(work: &mut Work<'_>, from: Position, to: Position) -> Result<(), MirrorError> {
    expect_one(work.execute(MOVE, &[Value::Int(from.as_i64()), Value::Int(to.as_i64())]).await?)
}

pub(super) async fn finish(work: &mut Work<'_>, at: Position) -> Result<(), MirrorError> {
    expect_one(work.execute(FINISH, &[Value::Int(at.as_i64())]).await?)
}

fn expect_one(n_rows: u64) -> Result<(), MirrorError> {
    if n_rows == 1 { Ok(()) } else { Err(MirrorError::Overtaken) }
}

impl Django {
    /// How far a mirror has come in these tables; `None`: none has begun.
    pub async fn mirrored(&self) -> Result<Option<Standing>, DjangoError> {
        if !self.has_mirror().await? {
            return Ok(None);
        }
        let rows = self.database.rows(READ, &[], of_row).await?;
        rows.into_iter().next().transpose().map_err(DjangoError::Unavailable)
    }
}

fn of_row(row: &dyn Cells) -> Result<Standing, String> {
    let position = present("position", row.int("position"))?;
    Ok(Standing {
        position: Position::new(position.unsigned_abs()),
        is_finished: present("is_finished", row.flag("is_finished"))?,
    })
}
