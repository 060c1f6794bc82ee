//! Which of two changes to a message was the last, if the clocks do not say: the log's order decides.
//!
//! Somebody may edit a message, or two may mark it as read, in Django and in Natter within the same moment. Then the row may
//! say something later by the clock than the record at hand. If the log brought that too, before the record, the record
//! goes over it. If not, Django has done it since, and it will come by way of the log as well.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use natter_log::port::{Log, LogError};
use natter_model::event::{Body, Entry};
use natter_model::id::{MessageId, Position};
use natter_model::timestamp::Timestamp;
use natter_store_django::mirror::{Mirror, Moments, Step};

use super::trouble::Trouble;

/// Records of a conversation that are looked through at a time.
const PAGE: usize = 1_000;

/// Of what a message has only the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Change {
    Edit,
    Read,
}

/// The entries with what each may go over.
pub(super) async fn steps<'e>(
    log: &dyn Log,
    mirror: &mut Mirror,
    entries: &'e [Entry],
) -> Result<Vec<Step<'e>>, Trouble> {
    let ids: BTreeSet<MessageId> = entries.iter().filter_map(change).map(|(_, message)| message).collect();
    let ids: Vec<MessageId> = ids.into_iter().collect();
    let rows = if ids.is_empty() { BTreeMap::new() } else { mirror.moments(&ids).await? };
    Ok(decide(log, &rows, entries).await?)
}

async fn decide<'e>(
    log: &dyn Log,
    rows: &BTreeMap<MessageId, Moments>,
    entries: &'e [Entry],
) -> Result<Vec<Step<'e>>, LogError> {
    let mut last: HashMap<(Change, MessageId), Timestamp> = HashMap::new();
    let mut steps = Vec::with_capacity(entries.len());
    for entry in entries {
        let mut over = None;
        if let Some(key @ (change, message)) = change(entry) {
            over = match last.get(&key) {
                Some(at) => Some(*at),
                None => match rows.get(&message).and_then(|row| moment(row, change)) {
                    Some(at) if at > entry.event.at && has(log, entry, at).await? => Some(at),
                    _ => None,
                },
            };
            last.insert(key, entry.event.at);
        }
        steps.push(Step { entry, over });
    }
    Ok(steps)
}

fn change(entry: &Entry) -> Option<(Change, MessageId)> {
    match entry.event.body {
        Body::Edited { message, .. } => Some((Change::Edit, message)),
        Body::Read { message } => Some((Change::Read, message)),
        _ => None,
    }
}

fn moment(row: &Moments, change: Change) -> Option<Timestamp> {
    match change {
        Change::Edit => row.edited_at,
        Change::Read => row.read_at,
    }
}

/// Does the log hold the same change, of that moment, before this entry?
async fn has(log: &dyn Log, entry: &Entry, at: Timestamp) -> Result<bool, LogError> {
    let mut after = Position::START;
    loop {
        let page = log.read(entry.event.conversation, after, PAGE).await?;
        let mut before = page.iter().take_while(|other| other.position < entry.position);
        if before.any(|other| other.event.at == at && change(other) == change(entry)) {
            return Ok(true);
        }
        match page.last() {
            Some(last) if page.len() == PAGE && last.position < entry.position => after = last.position,
            _ => return Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use natter_log::embedded::Embedded;
    use natter_model::event::{Actor, Event, Origin};
    use natter_model::id::{AccountId, ConversationId, EventId};

    use super::*;

    fn message() -> MessageId {
        MessageId::new(1).unwrap()
    }

    async fn append(log: &Embedded, micros: i64, body: Body) -> Entry {
        let event = Event {
            id: EventId::fresh(),
            conversation: ConversationId::new(9).unwrap(),
            actor: Actor { id: AccountId::new(4).unwrap(), username: "ana".to_owned() },
            at: Timestamp::from_micros(micros),
            origin: Origin::Natter,
            body,
        };
        let position = log.append(&event).await.unwrap().position;
        Entry { position, previous: Position::START, event }
    }

    /// What Django's row says of the message, and what the last of the entries may go over.
    async fn over(log: &Embedded, read_at: i64, entries: &[Entry]) -> Option<i64> {
        let moments =
            Moments { edited_at: Some(Timestamp::from_micros(99)), read_at: Some(Timestamp::from_micros(read_at)) };
        let steps = decide(log, &BTreeMap::from([(message(), moments)]), entries).await.unwrap();
        steps.last().unwrap().over.map(Timestamp::as_micros)
    }

    /// Four marks in this order, of which the first is the latest by the clock.
    #[tokio::test]
    async fn what_the_log_brought_before_gives_way() {
        let folder = tempfile::tempdir().unwrap();
        let log = Embedded::open(&folder.path().join("log"), Position::START).unwrap();
        append(&log, 1, Body::Posted { message: None, content: "said".to_owned(), attachment: None, client_id: None })
            .await;
        let mut reads = Vec::new();
        for micros in [9, 5, 7, 8] {
            reads.push(append(&log, micros, Body::Read { message: message() }).await);
        }
        assert_eq!(over(&log, 9, &reads[1..2]).await, Some(9), "it stands before");
        assert_eq!(over(&log, 8, &reads[1..2]).await, None, "it stands behind");
        assert_eq!(over(&log, 6, &reads[1..2]).await, None, "it is not there: Django has done it since");
        assert_eq!(over(&log, 4, &reads[1..2]).await, None, "the clock tells");
        assert_eq!(over(&log, 99, &reads[1..3]).await, Some(5), "one after the other");
        let edit = append(&log, 6, Body::Edited { message: message(), content: "edited".to_owned() }).await;
        assert_eq!(over(&log, 9, &[edit]).await, None, "an edit goes over edits");
    }
}
