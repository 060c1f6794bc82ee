//! What was recorded of a run, as compact as it can be judged: a long run holds millions of these.

use serde::Serialize;

/// Milliseconds since the run began.
pub type Moment = u32;

/// Everything that the judge looks at.
#[derive(Debug, Clone, Default, Serialize)]
pub struct History {
    /// What each writer sent.
    pub senders: Vec<Sender>,
    /// What each client was told.
    pub streams: Vec<Stream>,
    /// What the store has at the end.
    pub rows: Vec<Row>,
    /// Read marks that the store has at the end.
    pub marks: Vec<Mark>,
}

/// What one writer sent. It never gives a message up.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Sender {
    /// Its number among the writers; its account is one higher.
    pub writer: u16,
    /// Where it writes.
    pub conversation: u64,
    /// Its messages, by number.
    pub sent: Vec<Sent>,
    /// Acknowledgements of other ids than the first one: number, id, when.
    pub contradictions: Vec<(u32, u64, Moment)>,
}

/// One message that was sent, perhaps several times.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Sent {
    /// When it was sent first.
    pub at: Moment,
    /// The id that the first acknowledgement gave it, and when.
    pub acknowledged: Option<(u64, Moment)>,
    /// The highest version that was sent. 0 is what was posted, each edit is one more.
    pub version: u8,
    /// The sender was told that it is deleted.
    pub is_deleted: bool,
    /// The sender has asked to delete it.
    pub is_unwanted: bool,
}

/// What one client was told about a conversation, in the order in which it heard it, over all its connections.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Stream {
    /// Who heard it.
    pub name: String,
    /// Which conversation.
    pub conversation: u64,
    /// The events.
    pub told: Vec<Told>,
    /// Answers that no client that behaves should get.
    pub refusals: Vec<(Moment, String)>,
}

/// One event frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Told {
    /// Its `seq`.
    pub seq: u64,
    /// The message that it is about.
    pub message: u64,
    /// Whose deed it is.
    pub account: u32,
    /// When it was heard.
    pub at: Moment,
    /// What it tells.
    pub tale: Tale,
}

/// What an event frame tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Tale {
    /// A message with this content. Behind the window it is the newest content.
    Posted(Content),
    /// New content of a message.
    Edited(Content),
    /// A message was taken back.
    Deleted,
    /// A message was read.
    Read,
}

/// What a message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Content {
    /// Something that a writer says.
    Words(Words),
    /// Nothing: the message is deleted.
    Nothing,
    /// Something that no writer says.
    Strange,
}

/// What a writer says: text that tells whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Words {
    /// The writer's number.
    pub writer: u16,
    /// The number of the message among the writer's.
    pub number: u32,
    /// 0 as posted, each edit one more.
    pub version: u8,
}

/// A message in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its id.
    pub message: u64,
    /// Where it was said.
    pub conversation: u64,
    /// Whose it is.
    pub account: u32,
    /// What it says.
    pub content: Content,
    /// It was taken back.
    pub is_deleted: bool,
}

/// How far somebody has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Mark {
    /// Where.
    pub conversation: u64,
    /// Who.
    pub account: u32,
    /// Up to this message.
    pub message: u64,
}

/// What follows the words, up to a length that differs from message to message.
const FILLER: &str = "the quick brown fox jumps over the lazy dog, and the lazy dog does not mind, because it has seen \
                      quicker foxes, browner ones too, and has read all there is to read about jumping over dogs";

impl Words {
    /// As text, which [`of_text`](Content::of_text) reads back.
    pub fn text(self) -> String {
        let Self { writer, number, version } = self;
        format!("{writer}.{number}.{version} {}", self.filler())
    }

    /// The message's name among its sender's: the same for all its versions.
    pub fn client_id(self) -> String {
        format!("{}-{}", self.writer, self.number)
    }

    fn filler(self) -> &'static str {
        let length = (self.number as usize).wrapping_mul(31) + usize::from(self.version) * 7;
        FILLER[..1 + length % (FILLER.len() - 1)].trim_end()
    }
}

impl Content {
    /// What this text says, provided that it says exactly that.
    pub fn of_text(text: &str) -> Self {
        if text.is_empty() {
            return Self::Nothing;
        }
        let read = || {
            let (name, filler) = text.split_once(' ')?;
            let mut parts = name.split('.');
            let words = Words {
                writer: parts.next()?.parse().ok()?,
                number: parts.next()?.parse().ok()?,
                version: parts.next()?.parse().ok()?,
            };
            (parts.next().is_none() && filler == words.filler()).then_some(words)
        };
        read().map_or(Self::Strange, Self::Words)
    }
}

impl Sender {
    /// The account it writes as.
    pub fn account(&self) -> u32 {
        u32::from(self.writer) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back_and_nothing_else_is() {
        for number in 0..500 {
            let words = Words { writer: 3, number, version: 2 };
            assert_eq!(Content::of_text(&words.text()), Content::Words(words));
            assert_eq!(words.text().trim(), words.text(), "edits are stripped");
            assert_eq!(Content::of_text(&format!("{}!", words.text())), Content::Strange);
        }
        assert_eq!(Content::of_text(""), Content::Nothing);
        assert_eq!(Content::of_text("hello"), Content::Strange);
    }
}
