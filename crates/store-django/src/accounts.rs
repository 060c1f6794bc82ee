//! Django's accounts as Natter has them.

use natter_store::accounts::{Account, check_names};
use natter_store::error::StoreError;

use crate::cells::Cells;
use crate::django::Django;
use crate::error::DjangoError;
use crate::tables::Part;
use crate::unfit::{Kind, Page, Unfit, id, present, text};

/// Between the types of an account's profiles; none contains it.
const SEPARATOR: char = '\u{1f}';

impl Django {
    /// Up to `limit` accounts behind `after`, by id.
    pub async fn accounts(&self, after: i64, limit: usize) -> Result<Page<Account>, DjangoError> {
        let is_active = match self.layout.has_admin_deleted {
            true => "a.is_active AND NOT a.admin_deleted",
            false => "a.is_active",
        };
        let profile_types = match self.layout.has_profiles {
            true => format!(
                "(SELECT string_agg(p.profile_type, '{SEPARATOR}' ORDER BY p.id) FROM {} p WHERE p.account_id = a.id)",
                self.table(Part::Profiles)
            ),
            false => "NULL".to_owned(),
        };
        let sql = format!(
            "SELECT CAST(a.id AS bigint) AS id, CAST(a.username AS text) AS username, CAST(a.email AS text) AS email,
                 CAST(a.password AS text) AS password, {is_active} AS is_active,
                 CAST({profile_types} AS text) AS profile_types
             FROM {} a WHERE a.id > $1 ORDER BY a.id LIMIT $2",
            self.table(Part::Accounts)
        );
        let parameters = [after, i64::try_from(limit).unwrap_or(i64::MAX)];
        let rows = self.database.rows(&sql, &parameters, |row| {
            let id = row.int("id").ok().flatten().unwrap_or_default();
            (id, account(row, id).map_err(|reason| Unfit { kind: Kind::Account, id, reason }))
        });
        Ok(Page::of(rows.await?, limit))
    }
}

fn account(row: &dyn Cells, number: i64) -> Result<Account, String> {
    let (username, email) = (text(row, "username")?, text(row, "email")?);
    check_names(&username, &email).map_err(|error| match error {
        StoreError::Rejected(reason) => reason,
        other => other.to_string(),
    })?;
    let profile_types = row.text("profile_types")?.unwrap_or_default();
    if profile_types.contains('\0') {
        return Err("the type of one of its profiles contains U+0000".to_owned());
    }
    Ok(Account {
        id: id("its id", number)?,
        username,
        email,
        password_hash: text(row, "password")?,
        is_active: present("is_active", row.flag("is_active"))?,
        profile_types: profile_types.split(SEPARATOR).filter(|kind| !kind.is_empty()).map(str::to_owned).collect(),
    })
}
