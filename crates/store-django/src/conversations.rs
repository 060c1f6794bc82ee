//! Django's conversations as Natter has them.

use std::collections::BTreeMap;

use natter_model::id::AccountId;
use natter_model::timestamp::Timestamp;
use natter_store::accounts::{Conversation, Participant};

use crate::cells::Cells;
use crate::django::Django;
use crate::error::DjangoError;
use crate::layout::Identity;
use crate::tables::{Part, quoted};
use crate::unfit::{Kind, Page, Unfit, id, text, time};

impl Django {
    /// Up to `limit` conversations behind `after`, by id, with those who take part. Where these are profiles, their
    /// accounts take their place.
    pub async fn conversations(&self, after: i64, limit: usize) -> Result<Page<Conversation>, DjangoError> {
        let who = format!("p.{}", quoted(&self.layout.participant_column));
        let (join, account) = match self.layout.participants {
            Identity::Accounts => (String::new(), who.clone()),
            Identity::Profiles => {
                let profiles = self.table(Part::Profiles);
                (format!("LEFT JOIN {profiles} f ON f.id = {who}"), "f.account_id".to_owned())
            }
        };
        let sql = format!(
            "SELECT CAST(c.id AS bigint) AS id, {} AS created_at, CAST({who} AS bigint) AS participant,
                 CAST(a.id AS bigint) AS account_id, CAST(a.username AS text) AS username
             FROM (SELECT id, created_at FROM {} WHERE id > $1 ORDER BY id LIMIT $2) c
             LEFT JOIN {} p ON p.conversation_id = c.id {join} LEFT JOIN {} a ON a.id = {account}
             ORDER BY c.id, {who}",
            self.time_sql("c.created_at"),
            self.table(Part::Conversations),
            self.table(Part::Participants),
            self.table(Part::Accounts),
        );
        let parameters = [after, i64::try_from(limit).unwrap_or(i64::MAX)];
        let rows = self.database.rows(&sql, &parameters, |row| {
            (row.int("id").ok().flatten().unwrap_or_default(), created_at(row), participant(row))
        });
        let mut found: BTreeMap<i64, Found> = BTreeMap::new();
        for (id, created_at, participant) in rows.await? {
            let found = found.entry(id).or_insert_with(|| Found { created_at, participants: Vec::new() });
            found.participants.extend(participant.transpose());
        }
        let rows = found.into_iter().map(|(id, found)| {
            let fit = found.into_conversation(id);
            (id, fit.map_err(|reason| Unfit { kind: Kind::Conversation, id, reason }))
        });
        Ok(Page::of(rows.collect(), limit))
    }
}

/// A conversation, row by row.
struct Found {
    created_at: Result<Timestamp, String>,
    participants: Vec<Result<Participant, String>>,
}

impl Found {
    fn into_conversation(self, number: i64) -> Result<Conversation, String> {
        let n_rows = self.participants.len();
        let participants: BTreeMap<AccountId, Participant> = self
            .participants
            .into_iter()
            .map(|found| found.map(|found| (found.id, found)))
            .collect::<Result<_, _>>()?;
        if let (true, Some(only)) = (n_rows > 1 && participants.len() == 1, participants.keys().next()) {
            return Err(format!("all who take part are profiles of one account, {only}"));
        }
        let participants = participants.into_values().collect();
        Ok(Conversation { id: id("its id", number)?, created_at: self.created_at?, participants })
    }
}

fn created_at(row: &dyn Cells) -> Result<Timestamp, String> {
    time(row, "created_at")
}

/// `None`: nobody takes part.
fn participant(row: &dyn Cells) -> Result<Option<Participant>, String> {
    let Some(participant) = row.int("participant")? else { return Ok(None) };
    let account = row.int("account_id")?.ok_or_else(|| format!("its participant {participant} is not there"))?;
    let unreadable = |reason| format!("its participant {participant} cannot be read: {reason}");
    let username = text(row, "username").map_err(unreadable)?;
    Ok(Some(Participant { id: id("the account", account)?, username }))
}
