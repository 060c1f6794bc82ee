//! When Django's rows say that something happened to them last.

use std::collections::BTreeMap;

use natter_model::id::MessageId;
use natter_model::timestamp::Timestamp;

use crate::cells::Cells;
use crate::mirror::error::MirrorError;
use crate::mirror::line::Value;
use crate::mirror::{Mirror, in_time};

/// What Django's row says of a message, whoever wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moments {
    /// When it was last edited.
    pub edited_at: Option<Timestamp>,
    /// When it was last marked as read.
    pub read_at: Option<Timestamp>,
}

impl Mirror {
    /// Of each of these messages that is there.
    pub async fn moments(&mut self, messages: &[MessageId]) -> Result<BTreeMap<MessageId, Moments>, MirrorError> {
        in_time(async {
            let mut found = BTreeMap::new();
            let mut work = self.line.begin().await?;
            for message in messages {
                let rows = work.rows(&self.statements.moments, &[Value::Int(message.as_i64())], of_row).await?;
                found.extend(rows.into_iter().map(|moments| (*message, moments)));
            }
            Ok(found)
        })
        .await
    }
}

fn of_row(row: &dyn Cells) -> Result<Moments, String> {
    Ok(Moments { edited_at: row.time("edited_at")?, read_at: row.time("read_at")? })
}
