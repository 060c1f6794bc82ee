//! Django's refresh tokens as Natter has them.

use natter_store::accounts::{KnownToken, RefreshToken};

use crate::cells::Cells;
use crate::database::Database;
use crate::django::Django;
use crate::error::DjangoError;
use crate::tables::Part;
use crate::unfit::{Kind, Page, Unfit, id, present, text, time};

impl Django {
    /// Up to `limit` refresh tokens behind `after` that have not expired, by id. None, if there are no tables of them.
    pub async fn refresh_tokens(&self, after: i64, limit: usize) -> Result<Page<KnownToken>, DjangoError> {
        if !self.layout.has_tokens {
            return Ok(Page { rows: Vec::new(), next: None });
        }
        let now = match self.database {
            Database::Postgres(_) => "now()",
            Database::Sqlite(_) => "datetime('now')",
        };
        // Those of nobody belonged to an account that is gone.
        let sql = format!(
            "SELECT CAST(o.id AS bigint) AS id, CAST(o.jti AS text) AS jti, CAST(o.user_id AS bigint) AS user_id,
                 {} AS expires_at, EXISTS (SELECT 1 FROM {} b WHERE b.token_id = o.id) AS is_revoked
             FROM {} o WHERE o.id > $1 AND o.expires_at > {now} AND o.user_id IS NOT NULL ORDER BY o.id LIMIT $2",
            self.time_sql("o.expires_at"),
            self.table(Part::BlacklistedTokens),
            self.table(Part::OutstandingTokens),
        );
        let parameters = [after, i64::try_from(limit).unwrap_or(i64::MAX)];
        let rows = self.database.rows(&sql, &parameters, |row| {
            let id = row.int("id").ok().flatten().unwrap_or_default();
            (id, token(row).map_err(|reason| Unfit { kind: Kind::RefreshToken, id, reason }))
        });
        Ok(Page::of(rows.await?, limit))
    }
}

fn token(row: &dyn Cells) -> Result<KnownToken, String> {
    let token = RefreshToken {
        jti: text(row, "jti")?,
        account: id("its account", present("user_id", row.int("user_id"))?)?,
        expires_at: time(row, "expires_at")?,
    };
    Ok(KnownToken { token, is_revoked: present("is_revoked", row.flag("is_revoked"))? })
}
