//! A piece of a conversation's past, encoded once for everybody who asks for it in the same moment.

use natter_model::event::Entry;
use natter_model::id::Position;
use natter_proto::record::{self, DecodeError};
use natter_proto::v1;

use crate::frame::Frame;
use crate::metrics::missed::Source;

/// Bytes that a frame takes beside its text, about.
const FRAME_BYTES: usize = 96;

/// What there is to tell between two positions, in order.
#[derive(Debug)]
pub(crate) struct Page {
    after: Position,
    through: Position,
    frames: Vec<Frame>,
    end: Option<Position>,
    source: Source,
}

impl Page {
    /// Of persistence's answer to what stands behind `after`.
    pub(crate) fn of_reply(after: Position, reply: v1::CatchUpReply) -> Result<Self, DecodeError> {
        let entries: Result<Vec<Entry>, DecodeError> = reply.entries.into_iter().map(entry).collect();
        Ok(Self::new(after, Position::new(reply.through), entries?, Source::Store))
    }

    /// Of what the log holds behind `after`, up to `through` and not further.
    pub(crate) fn of_log(after: Position, through: Position, entries: Vec<Entry>) -> Self {
        Self::new(after, through, entries, Source::Log)
    }

    /// One that tells of nothing.
    pub(crate) fn empty(after: Position, through: Position) -> Self {
        Self::new(after, through, Vec::new(), Source::Store)
    }

    fn new(after: Position, through: Position, entries: Vec<Entry>, source: Source) -> Self {
        let mut page = Self { after, through, frames: Vec::with_capacity(entries.len()), end: None, source };
        for entry in entries {
            match Frame::of_event(&entry) {
                Some(frame) => page.frames.push(frame),
                None => {
                    (page.end, page.through) = (Some(entry.position), entry.position);
                    break;
                }
            }
        }
        page
    }

    /// Where it begins.
    pub(crate) fn after(&self) -> Position {
        self.after
    }

    /// Where it ends: nothing up to here is missing.
    pub(crate) fn through(&self) -> Position {
        self.through
    }

    /// Its frames between these positions, the second one included.
    pub(crate) fn frames(&self, after: Position, up_to: Position) -> &[Frame] {
        let place = |position| self.frames.partition_point(|frame| frame.position <= position);
        self.frames.get(place(after)..place(up_to)).unwrap_or_default()
    }

    /// Where the conversation was deleted, if it was. That is told behind the frames.
    pub(crate) fn end(&self) -> Option<Position> {
        self.end
    }

    /// Where it came from.
    pub(crate) fn source(&self) -> Source {
        self.source
    }

    /// About what it takes in memory.
    pub(crate) fn n_bytes(&self) -> usize {
        self.frames.iter().map(|frame| frame.n_bytes() + FRAME_BYTES).sum::<usize>() + size_of::<Self>()
    }
}

fn entry(entry: v1::Entry) -> Result<Entry, DecodeError> {
    let event = record::from_proto(entry.event.ok_or(DecodeError::Missing("event"))?)?;
    Ok(Entry { position: Position::new(entry.position), previous: Position::START, event })
}
