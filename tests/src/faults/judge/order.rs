//! Is a stream in the order of the log, each event once?

use std::collections::HashSet;

use crate::faults::history::{Stream, Tale};
use crate::faults::judge::{Finding, Wrong};

pub(super) fn judge(stream: &Stream) -> Vec<Finding> {
    let in_order = stream.told.windows(2).all(|pair| pair[0].seq < pair[1].seq);
    let mut findings = if in_order { Vec::new() } else { disorder(stream) };
    for told in &stream.told {
        if matches!(told.tale, Tale::Posted(_)) && told.seq != told.message {
            let text = format!("{} heard message {} posted at {}", stream.name, told.message, told.seq);
            findings.push(Finding { wrong: Wrong::Differing, at: told.at, text });
        }
    }
    findings
}

fn disorder(stream: &Stream) -> Vec<Finding> {
    let (mut heard, mut highest) = (HashSet::new(), 0);
    let mut findings = Vec::new();
    for told in &stream.told {
        let wrong = match heard.insert(told.seq) {
            false => Some(Wrong::Duplicated),
            true if told.seq < highest => Some(Wrong::Reordered),
            true => None,
        };
        if let Some(wrong) = wrong {
            let text = format!("{} heard {} ({:?}) after {highest}", stream.name, told.seq, told.tale);
            findings.push(Finding { wrong, at: told.at, text });
        }
        highest = highest.max(told.seq);
    }
    findings
}
