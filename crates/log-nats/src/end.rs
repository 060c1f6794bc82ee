//! Where the stream ends, compared with how far it is known to have come.

use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::stream;
use natter_log::port::{Appended, LogError};
use natter_model::id::Position;
use tokio::time::timeout;

use crate::api::info;
use crate::layout::STREAM;
use crate::metrics;

/// What the stream's leader says, and what is remembered of it.
#[derive(Debug, Default)]
pub(crate) struct End {
    known: Mutex<Known>,
    /// Held while the leader is asked, so that those who wait for the answer do not all ask.
    looking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    /// The highest position that the stream itself has told: acknowledged, delivered, republished.
    seen: Position,
    /// The highest that somebody else knows of.
    told: Position,
    /// Where the stream ended when that was found to be too low.
    found: Option<Position>,
    /// The line over which the stream was last found to be as it should.
    line: Option<u64>,
    /// The server that leads the stream; none in a single server.
    leader: Option<String>,
    /// How often another one took over.
    n_successions: u64,
}

/// What the leader says about the stream's ends, and about itself.
#[derive(Debug, Clone)]
pub(crate) struct Ends {
    /// See [`natter_log::port::Log::oldest`].
    pub(crate) oldest: Position,
    /// See [`natter_log::port::Log::last`].
    pub(crate) last: Position,
    /// It holds no record.
    pub(crate) is_empty: bool,
    /// The server that said so; none if it is alone.
    pub(crate) leader: Option<String>,
}

impl End {
    /// Somebody knows that the stream came to here. `true`: that is news, and has to be looked into.
    pub(crate) fn tell(&self, position: Position) -> bool {
        let mut known = self.lock();
        let is_news = position > known.highest();
        known.told = known.told.max(position);
        if is_news {
            known.line = None;
        }
        is_news
    }

    /// The stream itself has told something that stands here.
    pub(crate) fn see(&self, position: Position) {
        let mut known = self.lock();
        known.seen = known.seen.max(position);
    }

    /// Up to where positions have been given out, once the stream was looked at over this line and is not behind that:
    /// what is appended from now on comes behind it. After a time without an answer, an error.
    pub(crate) async fn verified(&self, client: &Client, patience: Duration) -> Result<Position, LogError> {
        if let Some(highest) = self.lock().verified(line(client))? {
            return Ok(highest);
        }
        let looked = timeout(patience, async {
            let _one_at_a_time = self.looking.lock().await;
            if let Some(highest) = self.lock().verified(line(client))? {
                return Ok(highest);
            }
            self.look(client).await?;
            Ok(self.lock().highest())
        });
        looked.await.map_err(|_| LogError::Unavailable("JetStream does not answer".to_owned()))?
    }

    /// Asks the leader, and compares.
    pub(crate) async fn look(&self, client: &Client) -> Result<Ends, LogError> {
        let (line, before) = (line(client), self.lock().highest());
        let ends = ask(client).await?;
        let mut known = self.lock();
        known.is_led_by(ends.leader.as_deref());
        known.looked(line, before, ends.last)?;
        drop(known);
        Ok(ends)
    }

    /// How often the stream was found under another leader. What the one before took in at last, it may not have republished.
    pub(crate) fn n_successions(&self) -> u64 {
        self.lock().n_successions
    }

    /// What an acknowledgement means, if `before` was known before its record was sent.
    pub(crate) fn acknowledged(&self, before: Position, ack: &PublishAck) -> Result<Appended, LogError> {
        let position = Position::new(ack.sequence);
        let mut known = self.lock();
        if !ack.duplicate && position <= before {
            known.found = Some(position);
            return Err(known.backwards(position));
        }
        known.seen = known.seen.max(position);
        Ok(Appended { position, duplicate: ack.duplicate })
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn highest(&self) -> Position {
        self.seen.max(self.told)
    }

    fn backwards(&self, found: Position) -> LogError {
        LogError::WentBackwards { known: self.highest(), found }
    }

    fn verified(&self, line: u64) -> Result<Option<Position>, LogError> {
        if let Some(found) = self.found {
            return Err(self.backwards(found));
        }
        Ok((self.line == Some(line)).then(|| self.highest()))
    }

    fn is_led_by(&mut self, leader: Option<&str>) {
        if leader.is_some() && self.leader.as_deref() != leader {
            self.n_successions += u64::from(self.leader.is_some());
            self.leader = leader.map(str::to_owned);
        }
    }

    /// Compares with what was known `before` the leader was asked: what was appended meanwhile may be missing.
    fn looked(&mut self, line: u64, before: Position, last: Position) -> Result<(), LogError> {
        if last < before {
            (self.found, self.line) = (Some(last), None);
            return Err(self.backwards(last));
        }
        self.seen = self.seen.max(last);
        // What somebody told meanwhile has yet to be compared.
        if last >= self.told {
            (self.found, self.line) = (None, Some(line));
        }
        Ok(())
    }
}

/// Which line to a server it is: another number for each.
pub(crate) fn line(client: &Client) -> u64 {
    client.statistics().connects.load(Ordering::Relaxed)
}

/// Where the stream began, or will, as it was set up.
pub(crate) async fn first(client: &Client) -> Result<Position, LogError> {
    let config = info::<stream::Info>(client, format!("STREAM.INFO.{STREAM}")).await?.config;
    Ok(Position::new(config.first_sequence.unwrap_or(1).max(1)))
}

/// What the stream's leader says.
pub(crate) async fn ask(client: &Client) -> Result<Ends, LogError> {
    let info: stream::Info = info(client, format!("STREAM.INFO.{STREAM}")).await?;
    metrics::stream(&info);
    let stream::Info { state, cluster, .. } = info;
    let last = Position::new(state.last_sequence);
    let is_empty = state.messages == 0;
    let oldest = if is_empty { last } else { Position::new(state.first_sequence.saturating_sub(1)) };
    Ok(Ends { oldest, last, is_empty, leader: cluster.and_then(|cluster| cluster.leader) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(sequence: u64) -> Position {
        Position::new(sequence)
    }

    fn ack(sequence: u64, duplicate: bool) -> PublishAck {
        PublishAck { stream: STREAM.to_owned(), sequence, domain: String::new(), duplicate, value: None }
    }

    #[test]
    fn an_acknowledgement_of_a_used_position_is_no_success() {
        let end = End::default();
        assert!(end.acknowledged(at(0), &ack(7, false)).is_ok());
        assert!(end.acknowledged(at(5), &ack(6, false)).is_ok(), "one that was sent before the other");
        assert!(end.acknowledged(at(7), &ack(3, true)).is_ok(), "one that stood there before");
        let refused = end.acknowledged(at(7), &ack(7, false)).expect_err("it was used");
        assert!(matches!(refused, LogError::WentBackwards { known, found } if (known, found) == (at(7), at(7))));
        assert!(end.lock().verified(0).is_err(), "and nothing more is sent");
    }

    #[test]
    fn a_stream_that_is_behind_is_told_until_it_has_caught_up() {
        let mut known = Known { seen: at(9), ..Known::default() };
        assert!(known.looked(1, at(9), at(5)).is_err());
        assert!(known.verified(1).is_err());
        assert!(known.looked(1, at(9), at(8)).is_err());
        assert!(known.looked(1, at(9), at(9)).is_ok());
        assert!(matches!(known.verified(1), Ok(Some(highest)) if highest == at(9)));
    }

    #[test]
    fn a_leader_that_takes_over_is_counted() {
        let mut known = Known::default();
        for (leader, n_successions) in
            [(None, 0), (Some("a"), 0), (Some("a"), 0), (None, 0), (Some("b"), 1), (Some("a"), 2)]
        {
            known.is_led_by(leader);
            assert_eq!(known.n_successions, n_successions, "{leader:?}");
        }
    }

    #[test]
    fn each_line_is_looked_at_anew_and_so_is_what_others_tell() {
        let end = End::default();
        end.lock().looked(1, at(0), at(4)).expect("it is not behind");
        assert!(matches!(end.lock().verified(2), Ok(None)));
        assert!(!end.tell(at(4)));
        assert!(matches!(end.lock().verified(1), Ok(Some(_))));
        assert!(end.tell(at(6)));
        assert!(matches!(end.lock().verified(1), Ok(None)));
        // The answer to a question from before says nothing about it.
        end.lock().looked(1, at(4), at(4)).expect("it is not behind what was known");
        assert!(matches!(end.lock().verified(1), Ok(None)));
        assert!(end.lock().looked(1, at(6), at(4)).is_err());
    }
}
