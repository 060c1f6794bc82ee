//! The return to Django: it goes on alone.

use natter_model::id::Position;

use crate::mirror::error::MirrorError;
use crate::mirror::line::{Value, Work};
use crate::mirror::standing;
use crate::mirror::{Mirror, in_time};

impl Mirror {
    /// Once everything up to `at`, where the mirror is, is in Django's tables: the ids of all rows to come lie behind those
    /// that Natter has given. There is no mirror from now on.
    pub async fn finish(&mut self, at: Position) -> Result<(), MirrorError> {
        let Self { line, statements } = self;
        in_time(async {
            let mut work = line.begin().await?;
            standing::finish(&mut work, at).await?;
            let mut least = at.as_i64();
            for (table, name) in &statements.sequences {
                match work.is_in_sqlite() {
                    true => move_on_in_sqlite(&mut work, table, name, least).await?,
                    false => move_on(&mut work, table, least).await?,
                }
                // Only messages have positions for ids.
                least = 1;
            }
            work.commit().await
        })
        .await
    }
}

/// Behind what is there, behind what was given out, and behind `least`.
async fn move_on(work: &mut Work<'_>, table: &str, least: i64) -> Result<(), MirrorError> {
    const SEQUENCE: &str = "SELECT pg_get_serial_sequence($1, 'id') AS found";
    let sequence = work.rows(SEQUENCE, &[Value::Text(table)], |row| row.text("found")).await?;
    let Some(sequence) = sequence.into_iter().flatten().next() else {
        let why = format!("the column `id` of {table} has no sequence of its own; move what it takes ids from by hand");
        return Err(MirrorError::Rejected(why));
    };
    let sql = format!(
        "SELECT setval($1::regclass, GREATEST((SELECT max(id) FROM {table}), (SELECT last_value FROM {sequence}), $2))
             AS found"
    );
    work.numbers(&sql, &[Value::Text(&sequence), Value::Int(least)]).await.map(drop)
}

/// New ids are above all that there ever were, as far as SQLite remembers.
async fn move_on_in_sqlite(work: &mut Work<'_>, table: &str, name: &str, least: i64) -> Result<(), MirrorError> {
    const REMEMBERS: &str = "SELECT 1 AS found FROM sqlite_master WHERE name = 'sqlite_sequence'";
    if work.numbers(REMEMBERS, &[]).await?.is_empty() {
        return Ok(());
    }
    let highest = format!("SELECT COALESCE(max(id), 0) AS found FROM {table}");
    let highest = work.numbers(&highest, &[]).await?.first().copied().unwrap_or(0).max(least);
    let values = [Value::Text(name), Value::Int(highest)];
    const RAISE: &str = "UPDATE sqlite_sequence SET seq = max(seq, $2) WHERE name = $1";
    if work.execute(RAISE, &values).await? == 0 {
        work.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ($1, $2)", &values).await?;
    }
    Ok(())
}
