//! Postgres' SQLSTATEs as reasons that a caller can act upon.

use natter_store::error::StoreError;

/// Only what is known to be the data's fault is refused: anything else may go away.
pub(crate) fn translate(error: &sqlx::Error) -> StoreError {
    let reason = error.to_string();
    match error {
        sqlx::Error::ColumnNotFound(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            StoreError::NotMigrated(reason)
        }
        sqlx::Error::Encode(_) => StoreError::Rejected(reason),
        sqlx::Error::PoolTimedOut => StoreError::Unavailable("no connection to Postgres in time".to_owned()),
        error => of_sqlstate(sqlstate(error).as_deref().unwrap_or_default(), reason),
    }
}

/// The transaction lost against another one, and may win when it runs again: the fold makes no row twice of what it sees.
pub(crate) fn is_conflict(error: &sqlx::Error) -> bool {
    matches!(sqlstate(error).as_deref(), Some("40001" | "40P01" | "23505"))
}

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn of_sqlstate(sqlstate: &str, reason: String) -> StoreError {
    match sqlstate {
        // Undefined table, column, function, object; no such schema.
        "42P01" | "42703" | "42883" | "42704" | "3F000" => StoreError::NotMigrated(reason),
        // Bad data, broken constraint, too long for an index.
        _ if ["22", "23", "54"].iter().any(|class| sqlstate.starts_with(class)) => StoreError::Rejected(reason),
        _ => StoreError::Unavailable(reason),
    }
}

fn sqlstate(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bad_data_is_refused_for_ever() {
        let of = |sqlstate| of_sqlstate(sqlstate, String::new());
        for rejected in ["22021", "22003", "23505", "23503", "54000"] {
            assert!(matches!(of(rejected), StoreError::Rejected(_)), "{rejected}");
        }
        for not_migrated in ["42P01", "42703", "3F000"] {
            assert!(matches!(of(not_migrated), StoreError::NotMigrated(_)), "{not_migrated}");
        }
        for unavailable in
            ["08006", "53300", "57P01", "57014", "40P01", "28P01", "3D000", "42501", "25006", "XX000", ""]
        {
            assert!(matches!(of(unavailable), StoreError::Unavailable(_)), "{unavailable}");
        }
    }
}
