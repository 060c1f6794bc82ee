//! What is wrong with a history. Pure: the same history, the same findings.
//!
//! Posts are judged exactly. Edits, deletes and read marks are judged by what they come to in the end, because whoever
//! resumes from far behind is not told what has been superseded.

mod conversation;
mod ending;
mod order;

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::faults::history::{History, Moment};
use crate::faults::judge::conversation::Conversation;

/// A promise that was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum Wrong {
    /// Somebody did not get, or the store does not have, what was acknowledged.
    Lost,
    /// Somebody got an event twice, or a message stands twice.
    Duplicated,
    /// An event came after a later one.
    Reordered,
    /// Somebody did not get, or the store does not have, what others got.
    Gap,
    /// A message that nobody sent.
    Ghost,
    /// Two see different things in the same place.
    Differing,
    /// The same client id was acknowledged with two ids, or with one that another message has.
    Contradicted,
    /// A request that is right was refused for good.
    Refused,
    /// Something did not come back to work by itself.
    Stuck,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which promise.
    pub wrong: Wrong,
    /// When it happened, as well as that can be said: when the message was sent, or the frame was heard.
    pub at: Moment,
    /// What exactly.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wrong, at, text } = self;
        write!(f, "{:>4}.{:03} s  {wrong:?}: {text}", at / 1000, at % 1000)
    }
}

/// All that is wrong, by time.
pub fn judge(history: &History) -> Vec<Finding> {
    let senders = history.senders.iter().map(|sender| sender.conversation);
    let streams = history.streams.iter().map(|stream| stream.conversation);
    let rows = history.rows.iter().map(|row| row.conversation);
    let conversations: BTreeSet<u64> = senders.chain(streams).chain(rows).collect();
    let mut findings = Vec::new();
    for id in conversations {
        let conversation = Conversation::of(history, id);
        for stream in &conversation.streams {
            findings.extend(order::judge(stream));
            let refused = |(at, text): &(Moment, String)| {
                let text = format!("{} was told {text}", stream.name);
                Finding { wrong: Wrong::Refused, at: *at, text }
            };
            findings.extend(stream.refusals.iter().map(refused));
        }
        findings.extend(conversation.judge());
        findings.extend(ending::judge(&conversation));
    }
    findings.sort_by_key(|finding| finding.at);
    findings
}

#[cfg(test)]
mod tests;
