//! Has everybody come to the same end, and the store too: what each message says, what is deleted, what was read?

use std::collections::BTreeMap;

use crate::faults::history::{Content, Mark, Moment, Stream, Tale};
use crate::faults::judge::conversation::Conversation;
use crate::faults::judge::{Finding, Wrong};

/// What one client has in view after all it was told.
struct View {
    messages: BTreeMap<u64, Content>,
    marks: BTreeMap<u32, u64>,
}

impl View {
    fn of(stream: &Stream) -> Self {
        let (mut messages, mut marks) = (BTreeMap::new(), BTreeMap::new());
        for told in &stream.told {
            match told.tale {
                Tale::Posted(content) => {
                    messages.insert(told.message, content);
                }
                Tale::Edited(content) => {
                    let known = messages.get_mut(&told.message);
                    if let Some(known) = known.filter(|known| **known != Content::Nothing) {
                        *known = content;
                    }
                }
                Tale::Deleted => {
                    messages.insert(told.message, Content::Nothing);
                }
                Tale::Read => {
                    let mark = marks.entry(told.account).or_insert(told.message);
                    *mark = told.message.max(*mark);
                }
            }
        }
        Self { messages, marks }
    }
}

pub(super) fn judge(conversation: &Conversation<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut differs = |at: Moment, text: String| findings.push(Finding { wrong: Wrong::Differing, at, text });
    let marks: BTreeMap<u32, u64> = conversation.marks.iter().map(|mark: &Mark| (mark.account, mark.message)).collect();
    for stream in &conversation.streams {
        let view = View::of(stream);
        for (id, content) in &view.messages {
            // Rows that are missing are found elsewhere.
            let Some(row) = conversation.rows.get(id) else { continue };
            let stored = if row.is_deleted { Content::Nothing } else { row.content };
            if stored != *content {
                let text = format!("{} has {content:?} in message {id}, the store has {stored:?}", stream.name);
                differs(conversation.moment(*id), text);
            }
        }
        if view.marks != marks {
            let text = format!("{} has the read marks {:?}, the store has {marks:?}", stream.name, view.marks);
            differs(stream.told.last().map_or(0, |told| told.at), text);
        }
    }
    for sent in conversation.senders.iter().flat_map(|sender| &sender.sent) {
        let Some((id, _)) = sent.acknowledged else { continue };
        let is_deleted = conversation.rows.get(&id).is_some_and(|row| row.is_deleted);
        if sent.is_deleted && !is_deleted {
            differs(sent.at, format!("message {id} is not deleted, which its sender was told"));
        } else if is_deleted && !sent.is_unwanted {
            differs(sent.at, format!("message {id} is deleted, which nobody asked for"));
        }
    }
    findings
}
