//! Django's messages as Natter has them.

use natter_store::check::check_import;
use natter_store::messages::Message;

use crate::cells::Cells;
use crate::django::Django;
use crate::error::DjangoError;
use crate::layout::Identity;
use crate::tables::Part;
use crate::unfit::{Kind, Page, Unfit, id, present, text, time};

impl Django {
    /// Up to `limit` messages behind `after`, by id, none behind `through`.
    pub async fn messages(&self, after: i64, through: i64, limit: usize) -> Result<Page<Message>, DjangoError> {
        let (join, account) = match self.layout.senders {
            Identity::Accounts => (String::new(), "m.sender_id"),
            Identity::Profiles => {
                (format!("LEFT JOIN {} f ON f.id = m.sender_id", self.table(Part::Profiles)), "f.account_id")
            }
        };
        let sql = format!(
            "SELECT CAST(m.id AS bigint) AS id, CAST(m.conversation_id AS bigint) AS conversation_id,
                 CAST(c.id AS bigint) AS conversation, CAST(m.sender_id AS bigint) AS sender_id,
                 CAST(a.id AS bigint) AS account_id, CAST(a.username AS text) AS username,
                 CAST(m.content AS text) AS content, CAST(m.attachment AS text) AS attachment,
                 {} AS timestamp, m.is_read, {} AS read_at, m.is_deleted, {} AS edited_at
             FROM (SELECT * FROM {} WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3) m
             LEFT JOIN {} c ON c.id = m.conversation_id {join} LEFT JOIN {} a ON a.id = {account} ORDER BY m.id",
            self.time_sql("m.timestamp"),
            self.time_sql("m.read_at"),
            self.time_sql("m.edited_at"),
            self.table(Part::Messages),
            self.table(Part::Conversations),
            self.table(Part::Accounts),
        );
        let parameters = [after, through, i64::try_from(limit).unwrap_or(i64::MAX)];
        let rows = self.database.rows(&sql, &parameters, |row| {
            let id = row.int("id").ok().flatten().unwrap_or_default();
            (id, message(row, id).map_err(|reason| Unfit { kind: Kind::Message, id, reason }))
        });
        Ok(Page::of(rows.await?, limit))
    }
}

fn message(row: &dyn Cells, number: i64) -> Result<Message, String> {
    let conversation = present("conversation", row.int("conversation_id"))?;
    if row.int("conversation")?.is_none() {
        return Err(format!("its conversation {conversation} is not there"));
    }
    let sender = present("sender", row.int("sender_id"))?;
    let account = row.int("account_id")?.ok_or_else(|| format!("its sender {sender} is not there"))?;
    let message = Message {
        id: id("its id", number)?,
        conversation: id("its conversation", conversation)?,
        sender: id("its sender", account)?,
        sender_name: text(row, "username").map_err(|reason| format!("its sender {sender} cannot be read: {reason}"))?,
        content: row.text("content")?,
        attachment: row.text("attachment")?.filter(|path| !path.is_empty()),
        timestamp: time(row, "timestamp")?,
        is_read: present("is_read", row.flag("is_read"))?,
        read_at: row.time("read_at")?,
        is_deleted: present("is_deleted", row.flag("is_deleted"))?,
        edited_at: row.time("edited_at")?,
    };
    check_import(&message)?;
    Ok(message)
}
