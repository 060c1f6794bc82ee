//! Messages, one by one.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use natter_model::id::{MessageId, Position};
use natter_model::timestamp::Timestamp;
use natter_store::fold::{Posted, Row};
use natter_store::messages::Message;
use natter_store_django::unfit::Unfit;

use super::findings::{Difference, Findings};
use super::{Check, TO};

/// Ids that are compared at a time.
const WINDOW: u64 = 2_000;

/// Django chats remove messages that were deleted, if they were edited longer ago than this.
const REMOVED_AFTER: Duration = Duration::from_secs(7 * 24 * 60 * 60);

const STORE: &str = "asking the store for rows";

impl Check {
    pub(super) async fn compare_all(&self, through: Position, findings: &mut Findings) -> anyhow::Result<()> {
        let mut after = self.source.first.get().saturating_sub(1);
        while after < through.get() {
            let to = through.get().min(after + WINDOW);
            let rows = self.source.pair.store.rows(after + 1..=to).await.context(STORE)?;
            let there = self.there(after, to).await?;
            compare(through, rows.iter().filter(|row| !is_djangos(row)), there, findings);
            after = to;
        }
        self.compare_rooms(findings).await
    }

    /// What differed, and only that.
    pub(super) async fn look_again(&self, findings: &mut Findings) -> anyhow::Result<()> {
        let (messages, has_rooms) = findings.forget();
        let through = self.through().await?;
        for id in messages {
            let rows = self.source.pair.store.rows_of(&[id]).await.context(STORE)?;
            let there = self.there(id.get() - 1, id.get()).await?;
            compare(through, rows.iter(), there, findings);
        }
        if has_rooms {
            self.compare_rooms(findings).await?;
        }
        Ok(())
    }

    /// Django's rows with ids behind `after` and up to `to`.
    async fn there(&self, after: u64, to: u64) -> anyhow::Result<Vec<Result<Message, Unfit>>> {
        let limit = usize::try_from(WINDOW).unwrap_or(usize::MAX) + 1;
        let page = self.django.messages(after.cast_signed(), to.cast_signed(), limit).await.context(TO)?;
        Ok(page.rows)
    }
}

/// It was imported, or relayed: Django's row is the first one.
fn is_djangos(row: &Row) -> bool {
    row.posted().is_some_and(Posted::has_given_id)
}

/// Natter's rows of some ids beside Django's.
fn compare<'r>(
    through: Position,
    rows: impl Iterator<Item = &'r Row>,
    there: Vec<Result<Message, Unfit>>,
    findings: &mut Findings,
) {
    let mut theirs = BTreeMap::new();
    for row in there {
        match row {
            Ok(message) => drop(theirs.insert(message.id, message)),
            Err(unfit) => findings.differs(Difference::Unreadable(unfit)),
        }
    }
    for posted in rows.filter_map(Row::posted).filter(|posted| !posted.is_resend) {
        let id = posted.message.id;
        let their = theirs.remove(&id);
        if posted.touched_seq > through {
            findings.n_changing += 1;
            continue;
        }
        match their {
            Some(their) => {
                let fields = differing(&posted.message, &their);
                match fields.is_empty() {
                    true => findings.n_same += 1,
                    false => findings.differs(Difference::Altered(id, fields)),
                }
            }
            None if is_removed(&posted.message) => findings.n_removed += 1,
            None => findings.differs(Difference::Missing(id)),
        }
    }
    // A post that came since may have been mirrored before it was stored.
    let strange: Vec<MessageId> = theirs.into_keys().filter(|id| Position::from(*id) <= through).collect();
    strange.into_iter().for_each(|id| findings.differs(Difference::Strange(id)));
}

/// By the job that cleans up.
fn is_removed(message: &Message) -> bool {
    let is_old = |at: Timestamp| at.after(REMOVED_AFTER) < Timestamp::now();
    message.is_deleted && message.edited_at.is_some_and(is_old)
}

fn differing(ours: &Message, theirs: &Message) -> Vec<&'static str> {
    // Django keeps the file of a message that is deleted.
    let has_same_file = ours.is_deleted || ours.attachment == theirs.attachment;
    let fields = [
        ("conversation", ours.conversation == theirs.conversation),
        ("sender", ours.sender == theirs.sender),
        ("content", ours.content == theirs.content),
        ("attachment", has_same_file),
        ("timestamp", ours.timestamp == theirs.timestamp),
        ("is_read", ours.is_read == theirs.is_read),
        ("read_at", ours.read_at == theirs.read_at),
        ("is_deleted", ours.is_deleted == theirs.is_deleted),
        ("edited_at", ours.edited_at == theirs.edited_at),
    ];
    fields.into_iter().filter(|(_, is_same)| !is_same).map(|(field, _)| field).collect()
}

#[cfg(test)]
mod tests {
    use natter_model::id::{AccountId, ConversationId};

    use super::*;

    fn message() -> Message {
        Message {
            id: MessageId::new(5).unwrap(),
            conversation: ConversationId::new(9).unwrap(),
            sender: AccountId::new(4).unwrap(),
            sender_name: "ana".to_owned(),
            content: Some("said".to_owned()),
            attachment: None,
            timestamp: Timestamp::from_micros(1),
            is_read: false,
            read_at: None,
            is_deleted: false,
            edited_at: None,
        }
    }

    #[test]
    fn what_differs_is_named() {
        let (ours, mut theirs) = (message(), message());
        // Their names may change.
        theirs.sender_name = "anna".to_owned();
        assert!(differing(&ours, &theirs).is_empty());
        theirs.content = None;
        theirs.attachment = Some("a.pdf".to_owned());
        theirs.read_at = Some(Timestamp::from_micros(2));
        assert_eq!(differing(&ours, &theirs), ["content", "attachment", "read_at"]);
        let gone = Message { is_deleted: true, ..ours };
        assert!(!differing(&gone, &theirs).contains(&"attachment"));
    }

    #[test]
    fn only_what_was_edited_long_ago_may_have_been_removed() {
        let edited_at = |micros| Message { is_deleted: true, edited_at: micros, ..message() };
        assert!(is_removed(&edited_at(Some(Timestamp::from_micros(1)))));
        assert!(!is_removed(&edited_at(Some(Timestamp::now()))));
        assert!(!is_removed(&edited_at(None)));
        assert!(!is_removed(&Message { is_deleted: false, ..edited_at(Some(Timestamp::from_micros(1))) }));
    }
}
