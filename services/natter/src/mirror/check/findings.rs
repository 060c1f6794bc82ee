//! What a comparison of Django's tables with Natter's found.

use std::collections::BTreeSet;
use std::fmt;

use natter_model::id::{ConversationId, MessageId};
use natter_store_django::unfit::{Kind, Unfit};

/// Differences that are printed; the others are only counted.
const SHOWN: usize = 20;

/// One difference.
#[derive(Debug)]
pub(super) enum Difference {
    Missing(MessageId),
    Strange(MessageId),
    Altered(MessageId, Vec<&'static str>),
    MissingRoom(ConversationId),
    StrangeRoom(ConversationId),
    Participants(ConversationId),
    Unreadable(Unfit),
}

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Messages that are alike.
    pub(super) n_same: u64,
    /// Messages to which something happened that the mirror has not come to.
    pub(super) n_changing: u64,
    /// Messages that Django has removed since they were deleted.
    pub(super) n_removed: u64,
    /// Conversations that are alike.
    pub(super) n_rooms: u64,
    differences: Vec<Difference>,
}

impl Findings {
    pub(super) fn differs(&mut self, difference: Difference) {
        self.differences.push(difference);
    }

    pub(super) fn n_differences(&self) -> usize {
        self.differences.len()
    }

    /// To look at it again: the messages that differed, and whether conversations did.
    pub(super) fn forget(&mut self) -> (BTreeSet<MessageId>, bool) {
        let (mut messages, mut has_rooms) = (BTreeSet::new(), false);
        for difference in self.differences.drain(..) {
            match difference {
                Difference::Missing(id) | Difference::Strange(id) | Difference::Altered(id, _) => messages.extend([id]),
                Difference::Unreadable(Unfit { kind: Kind::Message, id, .. }) => {
                    messages.extend(MessageId::try_from(id).ok());
                }
                Difference::MissingRoom(_)
                | Difference::StrangeRoom(_)
                | Difference::Participants(_)
                | Difference::Unreadable(_) => has_rooms = true,
            }
        }
        if has_rooms {
            self.n_rooms = 0;
        }
        (messages, has_rooms)
    }

    pub(super) fn say(&self) {
        for difference in self.differences.iter().take(SHOWN) {
            println!("Differs: {difference}.");
        }
        if self.differences.len() > SHOWN {
            println!("Differs: {} more.", self.differences.len() - SHOWN);
        }
        println!(
            "Messages that are alike: {}. Changed meanwhile: {}. Removed by Django since: {}. Conversations that are alike: {}.",
            self.n_same, self.n_changing, self.n_removed, self.n_rooms
        );
        println!("Differences: {}.", self.differences.len());
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(id) => write!(f, "message {id} is not in Django's tables"),
            Self::Strange(id) => write!(f, "message {id} is in Django's tables, but not in Natter"),
            Self::Altered(id, fields) => write!(f, "message {id} differs in {}", fields.join(", ")),
            Self::MissingRoom(id) => write!(f, "conversation {id} is not in Django's tables"),
            Self::StrangeRoom(id) => write!(f, "conversation {id} is in Django's tables, but not in Natter"),
            Self::Participants(id) => write!(f, "conversation {id} has other participants in Django"),
            Self::Unreadable(unfit) => unfit.fmt(f),
        }
    }
}
