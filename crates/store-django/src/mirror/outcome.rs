//! What became of records that were to be folded into Django's tables.

use std::fmt;

use natter_model::id::{AccountId, ConversationId, MessageId, Position};

/// What folding some records led to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Folded {
    /// Rows that were written, changed or removed.
    pub n_rows: u64,
    /// Records that should have made a row, and did not.
    pub left_out: Vec<LeftOut>,
}

/// A record that is not in Django's tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Where it stands in the log.
    pub position: Position,
    /// Why.
    pub why: Why,
}

/// Why Django's tables have no place for a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The conversation is not, or not any more, there.
    NoConversation(ConversationId),
    /// Who said it is not there; in a chat of profiles, has none.
    NoAccount(AccountId, String),
    /// Django has given its id to another message.
    IdTaken(MessageId),
    /// The database cannot hold it.
    Refused(String),
}

impl Why {
    /// In one word, for counting.
    pub fn label(&self) -> &'static str {
        match self {
            Self::NoConversation(_) => "conversation",
            Self::NoAccount(..) => "account",
            Self::IdTaken(_) => "id",
            Self::Refused(_) => "refused",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoConversation(id) => write!(f, "Django has no conversation {id}"),
            Self::NoAccount(id, username) => {
                write!(f, "Django has no account {id} (`{username}`), or no profile of it: make it there, with this id")
            }
            Self::IdTaken(id) => write!(f, "Django has given the id {id} to another message: ids of both have met"),
            Self::Refused(why) => f.write_str(why),
        }
    }
}
