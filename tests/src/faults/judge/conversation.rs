//! Does everybody have every message of a conversation, and the store too, each once, and nothing else?

use std::collections::{BTreeMap, HashMap};

use crate::faults::history::{Content, History, Mark, Moment, Row, Sender, Sent, Stream, Tale, Words};
use crate::faults::judge::{Finding, Wrong};

/// All that was recorded of one conversation.
pub(super) struct Conversation<'a> {
    pub(super) senders: Vec<&'a Sender>,
    pub(super) streams: Vec<&'a Stream>,
    pub(super) rows: BTreeMap<u64, &'a Row>,
    pub(super) marks: Vec<Mark>,
    /// What was acknowledged: id to writer and number.
    acknowledged: BTreeMap<u64, Name>,
    /// Ids that were given to a second message.
    shared: Vec<(u64, Name)>,
}

/// A message, whatever its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Name {
    writer: u16,
    number: u32,
}

/// A place where messages stand: somebody's stream, or the store.
struct Place<'a> {
    name: &'a str,
    /// Who said what, by id. `None` if it shows no content any more.
    posts: BTreeMap<u64, Option<Name>>,
}

/// The id of each message, by what the places show.
struct Truth {
    posts: BTreeMap<u64, Option<Name>>,
    ids: HashMap<Name, u64>,
}

impl<'a> Conversation<'a> {
    pub(super) fn of(history: &'a History, id: u64) -> Self {
        let senders: Vec<&Sender> = history.senders.iter().filter(|sender| sender.conversation == id).collect();
        let (mut acknowledged, mut shared) = (BTreeMap::new(), Vec::new());
        for sender in &senders {
            for (number, sent) in (0..).zip(&sender.sent) {
                if let Some((id, _)) = sent.acknowledged {
                    let name = Name { writer: sender.writer, number };
                    if *acknowledged.entry(id).or_insert(name) != name {
                        shared.push((id, name));
                    }
                }
            }
        }
        Self {
            senders,
            streams: history.streams.iter().filter(|stream| stream.conversation == id).collect(),
            rows: history.rows.iter().filter(|row| row.conversation == id).map(|row| (row.message, row)).collect(),
            marks: history.marks.iter().filter(|mark| mark.conversation == id).copied().collect(),
            acknowledged,
            shared,
        }
    }

    pub(super) fn judge(&self) -> Vec<Finding> {
        let mut findings = self.ghosts();
        let places = self.places();
        let truth = Truth::of(&places);
        findings.extend(self.twice(&places, &truth));
        findings.extend(places.iter().flat_map(|place| self.missing(place, &truth)));
        findings.extend(self.contradictions(&truth));
        findings
    }

    fn sent(&self, name: Name) -> Option<&'a Sent> {
        let sender = self.senders.iter().find(|sender| sender.writer == name.writer)?;
        sender.sent.get(name.number as usize)
    }

    /// When it was sent, as far as that is known.
    pub(super) fn moment(&self, message: u64) -> Moment {
        let name = self.acknowledged.get(&message);
        let sent = name.and_then(|&name| self.sent(name)).map(|sent| sent.at);
        let heard = || {
            let heard = self.streams.iter().filter_map(|stream| {
                let index = stream.told.partition_point(|told| told.seq < message);
                stream.told.get(index).filter(|told| told.seq == message).map(|told| told.at)
            });
            heard.min()
        };
        sent.or_else(heard).unwrap_or_default()
    }

    fn places(&self) -> Vec<Place<'a>> {
        let mut places: Vec<Place<'a>> = self.streams.iter().map(|stream| Place::of_stream(stream)).collect();
        let posts = self.rows.values().map(|row| (row.message, name_of(row.content))).collect();
        places.push(Place { name: "the store", posts });
        places
    }

    /// Content that nobody sent, or not as this account.
    fn ghosts(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut look = |place: &str, at: Moment, message: u64, account: u32, content: Content| {
            let is_sent = match content {
                Content::Nothing => true,
                Content::Strange => false,
                Content::Words(words) => {
                    let sent = self.sent(Name::of(words));
                    sent.is_some_and(|sent| words.version <= sent.version) && u32::from(words.writer) + 1 == account
                }
            };
            if !is_sent {
                let text = format!("{place} has {content:?} of account {account} in message {message}");
                findings.push(Finding { wrong: Wrong::Ghost, at, text });
            }
        };
        for stream in &self.streams {
            for told in &stream.told {
                if let Tale::Posted(content) | Tale::Edited(content) = told.tale {
                    look(&stream.name, told.at, told.message, told.account, content);
                }
            }
        }
        for row in self.rows.values() {
            look("the store", self.moment(row.message), row.message, row.account, row.content);
        }
        findings
    }

    /// Messages at two positions, and positions with two messages.
    fn twice(&self, places: &[Place<'_>], truth: &Truth) -> Vec<Finding> {
        let mut findings = Vec::new();
        for place in places {
            for (&id, name) in &place.posts {
                let Some(name) = name else { continue };
                if truth.ids[name] != id {
                    let text = format!("{} has {name:?} at {id}, and it stands at {}", place.name, truth.ids[name]);
                    findings.push(Finding { wrong: Wrong::Duplicated, at: self.moment(id), text });
                }
                if truth.posts[&id].is_some_and(|other| other != *name) {
                    let text = format!("{} has {name:?} at {id}, others have {:?}", place.name, truth.posts[&id]);
                    findings.push(Finding { wrong: Wrong::Differing, at: self.moment(id), text });
                }
            }
        }
        findings
    }

    fn missing(&self, place: &Place<'_>, truth: &Truth) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut miss = |wrong, id, what: &str| {
            let text = format!("{} has no message {id}, which {what}", place.name);
            findings.push(Finding { wrong, at: self.moment(id), text });
        };
        for id in self.acknowledged.keys().filter(|id| !place.posts.contains_key(id)) {
            miss(Wrong::Lost, *id, "was acknowledged");
        }
        let unseen = truth.posts.keys().filter(|id| !place.posts.contains_key(id));
        for id in unseen.filter(|id| !self.acknowledged.contains_key(id)) {
            miss(Wrong::Gap, *id, "others have");
        }
        findings
    }

    fn contradictions(&self, truth: &Truth) -> Vec<Finding> {
        let mut findings = Vec::new();
        for sender in &self.senders {
            for &(number, id, at) in &sender.contradictions {
                let text = format!("{}-{number} was acknowledged again, as {id}", sender.writer);
                findings.push(Finding { wrong: Wrong::Contradicted, at, text });
            }
        }
        for (id, name) in &self.shared {
            let text = format!("{name:?} was acknowledged as {id}, and {:?} too", self.acknowledged[id]);
            findings.push(Finding { wrong: Wrong::Contradicted, at: self.moment(*id), text });
        }
        for (id, name) in &self.acknowledged {
            if let Some(Some(other)) = truth.posts.get(id)
                && other != name
            {
                let text = format!("{name:?} was acknowledged as {id}, where {other:?} stands");
                findings.push(Finding { wrong: Wrong::Contradicted, at: self.moment(*id), text });
            }
        }
        findings
    }
}

impl Name {
    fn of(words: Words) -> Self {
        Self { writer: words.writer, number: words.number }
    }
}

fn name_of(content: Content) -> Option<Name> {
    match content {
        Content::Words(words) => Some(Name::of(words)),
        Content::Nothing | Content::Strange => None,
    }
}

impl<'a> Place<'a> {
    fn of_stream(stream: &'a Stream) -> Self {
        let posts = stream.told.iter().filter_map(|told| match told.tale {
            Tale::Posted(content) => Some((told.seq, name_of(content))),
            _ => None,
        });
        Self { name: &stream.name, posts: posts.collect() }
    }
}

impl Truth {
    /// What most places have; who differs from it is found later.
    fn of(places: &[Place<'_>]) -> Self {
        let mut votes: BTreeMap<u64, BTreeMap<Name, usize>> = BTreeMap::new();
        let mut ids = HashMap::new();
        for (&id, name) in places.iter().flat_map(|place| &place.posts) {
            let votes = votes.entry(id).or_default();
            if let Some(name) = name {
                *votes.entry(*name).or_default() += 1;
                let first = ids.entry(*name).or_insert(id);
                *first = id.min(*first);
            }
        }
        let elected = |votes: BTreeMap<Name, usize>| votes.into_iter().max_by_key(|vote| vote.1).map(|(name, _)| name);
        Self { posts: votes.into_iter().map(|(id, votes)| (id, elected(votes))).collect(), ids }
    }
}
