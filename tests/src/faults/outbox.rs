//! What a writer has to send, and sends again until it knows that it has arrived. Pure.

use std::collections::BTreeMap;

use crate::faults::history::{Content, Moment, Sender, Sent, Tale, Told, Words};

/// Messages without acknowledgement at once, at most.
const MAX_FLYING: usize = 8;
/// How long an acknowledgement may take before it is in doubt.
const PATIENCE: Moment = 4_000;

/// One writer's.
#[derive(Debug)]
pub struct Outbox {
    sender: Sender,
    messages_per_hour: u32,
    flying: BTreeMap<u32, Flight>,
    deeds: BTreeMap<u64, Deed>,
    /// Messages that are sent again although they are acknowledged, and when: as by a client that was killed before it
    /// could note that.
    echoes: BTreeMap<u32, Moment>,
}

#[derive(Debug, Clone, Copy)]
struct Flight {
    due: Moment,
    tries: u32,
}

/// Something that is to be done to a message that is acknowledged.
#[derive(Debug, Clone, Copy)]
struct Deed {
    number: u32,
    what: What,
    due: Moment,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// Edit it to this version.
    Edit(u8),
    Delete,
}

impl Outbox {
    /// Of a writer that sends so many messages per hour, counted from the run's beginning: what it could not send in
    /// bad times it sends in good ones.
    pub fn new(writer: u16, conversation: u64, messages_per_hour: u32) -> Self {
        let sender = Sender { writer, conversation, ..Sender::default() };
        Self { sender, messages_per_hour, flying: BTreeMap::new(), deeds: BTreeMap::new(), echoes: BTreeMap::new() }
    }

    /// Begins one message more, if it is time for one and not too many are under way.
    pub fn begin(&mut self, now: Moment) {
        let owed = u64::from(now) * u64::from(self.messages_per_hour) / 3_600_000;
        if self.flying.len() < MAX_FLYING && (self.sender.sent.len() as u64) < owed {
            let number = u32::try_from(self.sender.sent.len()).expect("fewer messages than that");
            self.sender.sent.push(Sent { at: now, ..Sent::default() });
            self.flying.insert(number, Flight { due: now, tries: 0 });
        }
    }

    /// The frames that are to be sent now, for the first time or again.
    pub fn due(&mut self, now: Moment) -> Vec<String> {
        let mut frames = Vec::new();
        let writer = self.sender.writer;
        for (&number, flight) in self.flying.iter_mut().filter(|(_, flight)| flight.due <= now) {
            *flight = Flight { due: now + PATIENCE, tries: flight.tries + 1 };
            let words = Words { writer, number, version: 0 };
            frames.push(post(words));
        }
        self.echoes.retain(|&number, due| {
            if *due <= now {
                frames.push(post(Words { writer, number, version: 0 }));
            }
            *due > now
        });
        for (message, deed) in self.deeds.iter_mut().filter(|(_, deed)| deed.due <= now) {
            deed.due = now + PATIENCE;
            let sent = &mut self.sender.sent[deed.number as usize];
            frames.push(match deed.what {
                What::Edit(version) => {
                    sent.version = sent.version.max(version);
                    let text = Words { writer, number: deed.number, version }.text();
                    format!(r#"{{"type":"edit","message_id":{message},"content":"{text}"}}"#)
                }
                What::Delete => {
                    sent.is_unwanted = true;
                    format!(r#"{{"type":"delete","message_id":{message}}}"#)
                }
            });
        }
        frames
    }

    /// Does something wait that has been sent twice in vain on this line? Then another line may do better.
    pub fn despairs(&self) -> bool {
        self.flying.values().any(|flight| flight.tries > 2)
    }

    /// The line is lost, and with it perhaps all that was under way.
    pub fn line_lost(&mut self, now: Moment) {
        self.flying.values_mut().for_each(|flight| *flight = Flight { due: now, tries: 0 });
        self.deeds.values_mut().for_each(|deed| deed.due = now + PATIENCE / 4);
    }

    /// The message with this number has this id. Returns when it was sent first, if that is news.
    pub fn acknowledged(&mut self, client_id: &str, id: u64, now: Moment) -> Option<Moment> {
        let number = self.number(client_id)?;
        let sent = self.sender.sent.get_mut(number as usize)?;
        self.flying.remove(&number);
        match sent.acknowledged {
            Some((known, _)) => {
                if known != id {
                    self.sender.contradictions.push((number, id, now));
                }
                None
            }
            None => {
                sent.acknowledged = Some((id, now));
                let at = sent.at;
                if let Some(delay) = echo_after(number) {
                    self.echoes.insert(number, now + delay);
                }
                if let Some(what) = next_deed(number, None) {
                    self.deeds.insert(id, Deed { number, what, due: now });
                }
                Some(at)
            }
        }
    }

    /// An event of the conversation; it may confirm a deed.
    pub fn told(&mut self, told: &Told, now: Moment) {
        let Some(deed) = self.deeds.get(&told.message).copied() else { return };
        let is_done = match (told.tale, deed.what) {
            (Tale::Edited(Content::Words(words)), What::Edit(version)) => words.version >= version,
            (Tale::Deleted, What::Delete) => true,
            _ => false,
        };
        if is_done {
            self.sender.sent[deed.number as usize].is_deleted |= deed.what == What::Delete;
            self.deeds.remove(&told.message);
            if let Some(what) = next_deed(deed.number, Some(deed.what)) {
                self.deeds.insert(told.message, Deed { number: deed.number, what, due: now });
            }
        }
    }

    /// The frame that names this was refused for now.
    pub fn try_again(&mut self, client_id: Option<&str>, message: Option<u64>, due: Moment) {
        if let Some(flight) = client_id.and_then(|id| self.number(id)).and_then(|number| self.flying.get_mut(&number)) {
            flight.due = due;
        }
        if let Some(deed) = message.and_then(|message| self.deeds.get_mut(&message)) {
            deed.due = due;
        }
    }

    /// Is it right that this message cannot be changed any more?
    pub fn has_deleted(&self, message: u64) -> bool {
        let is_unwanted = |sent: &Sent| sent.is_unwanted && sent.acknowledged.is_some_and(|(id, _)| id == message);
        self.deeds.get(&message).is_some_and(|deed| self.sender.sent[deed.number as usize].is_unwanted)
            || self.sender.sent.iter().any(is_unwanted)
    }

    /// Waits for a confirmation.
    pub fn is_busy(&self) -> bool {
        !self.flying.is_empty() || !self.deeds.is_empty()
    }

    /// What was sent.
    pub fn into_sender(self) -> Sender {
        self.sender
    }

    fn number(&self, client_id: &str) -> Option<u32> {
        let (writer, number) = client_id.split_once('-')?;
        (writer.parse() == Ok(self.sender.writer)).then(|| number.parse().ok())?
    }
}

fn post(words: Words) -> String {
    format!(r#"{{"type":"message","content":"{}","client_id":"{}"}}"#, words.text(), words.client_id())
}

/// A second later, many messages later, and when the log has forgotten its id.
fn echo_after(number: u32) -> Option<Moment> {
    match number % 50 {
        7 => Some(1_000),
        27 => Some(20_000),
        37 => Some(150_000),
        _ => None,
    }
}

/// What happens to a message after its acknowledgement (`None`), and after each deed that is done.
fn next_deed(number: u32, done: Option<What>) -> Option<What> {
    match (number % 40, done) {
        (3 | 13 | 23, None) => Some(What::Edit(1)),
        (23, Some(What::Edit(1))) => Some(What::Edit(2)),
        (33, None) => Some(What::Delete),
        (13, Some(What::Edit(1))) => Some(What::Delete),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox() -> Outbox {
        Outbox::new(5, 1, 3_600_000)
    }

    fn begin(outbox: &mut Outbox, now: Moment) -> Vec<String> {
        outbox.begin(now);
        outbox.due(now)
    }

    #[test]
    fn a_message_is_sent_again_until_it_is_acknowledged_and_then_no_more() {
        let mut outbox = outbox();
        let first = begin(&mut outbox, 1);
        assert_eq!(first.len(), 1);
        assert!(outbox.due(2).is_empty());
        assert_eq!(outbox.due(1 + PATIENCE), first);
        outbox.line_lost(6_000);
        assert_eq!(outbox.due(6_000), first);
        assert_eq!(outbox.acknowledged("5-0", 70, 6_001), Some(1));
        assert!(outbox.due(60_000).is_empty() && !outbox.is_busy());
        assert_eq!(outbox.acknowledged("5-0", 70, 6_002), None);
        outbox.acknowledged("5-0", 71, 6_003);
        assert_eq!(outbox.into_sender().contradictions, [(0, 71, 6_003)]);
    }

    #[test]
    fn what_was_missed_in_bad_times_is_made_up_for() {
        let mut outbox = outbox();
        (0..20).for_each(|_| outbox.begin(100));
        assert_eq!(outbox.due(100).len(), MAX_FLYING);
    }

    #[test]
    fn an_edit_is_repeated_until_it_is_heard_and_then_comes_the_next() {
        let mut outbox = outbox();
        for number in 0..=23 {
            begin(&mut outbox, 100);
            outbox.acknowledged(&format!("5-{number}"), 100 + number, 100);
        }
        let tell = |version| {
            let words = Words { writer: 5, number: 23, version };
            Told { seq: 200, message: 123, account: 6, at: 0, tale: Tale::Edited(Content::Words(words)) }
        };
        assert!(outbox.due(200).iter().any(|frame| frame.contains("5.23.1")));
        assert!(outbox.due(200 + PATIENCE).iter().any(|frame| frame.contains("5.23.1")));
        outbox.told(&tell(1), 5_000);
        assert!(outbox.due(5_000).iter().any(|frame| frame.contains("5.23.2")));
        outbox.told(&tell(2), 5_001);
        assert!(!outbox.due(60_000).iter().any(|frame| frame.contains("5.23.")));
    }
}
