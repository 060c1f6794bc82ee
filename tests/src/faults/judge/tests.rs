//! Broken histories, each with what has to be found in it.

use super::*;
use crate::faults::history::{Content, Mark, Row, Sender, Sent, Stream, Tale, Told, Words};

fn words(number: u32, version: u8) -> Content {
    Content::Words(Words { writer: 0, number, version })
}

fn posted(seq: u64, number: u32) -> Told {
    Told { seq, message: seq, account: 1, at: 0, tale: Tale::Posted(words(number, 0)) }
}

fn about(seq: u64, message: u64, tale: Tale) -> Told {
    Told { seq, message, account: 1, at: 0, tale }
}

/// One writer, two readers, the store: four messages at 10, 20, 30 and 50; the second is edited at 40 and the third
/// deleted at 60, the first marked as read at 70.
fn sound() -> History {
    let sent = |id| Sent { acknowledged: Some((id, 0)), ..Sent::default() };
    let mut sender = Sender { conversation: 1, sent: [10, 20, 30, 50].map(sent).to_vec(), ..Sender::default() };
    sender.sent[1].version = 1;
    sender.sent[2].is_deleted = true;
    sender.sent[2].is_unwanted = true;
    let told = vec![
        posted(10, 0),
        posted(20, 1),
        posted(30, 2),
        about(40, 20, Tale::Edited(words(1, 1))),
        posted(50, 3),
        about(60, 30, Tale::Deleted),
        about(70, 10, Tale::Read),
    ];
    let stream =
        |name: &str| Stream { name: name.to_owned(), conversation: 1, told: told.clone(), refusals: Vec::new() };
    let row = |message, content, is_deleted| Row { message, conversation: 1, account: 1, content, is_deleted };
    History {
        senders: vec![sender],
        streams: vec![stream("ana"), stream("bob")],
        rows: vec![
            row(10, words(0, 0), false),
            row(20, words(1, 1), false),
            row(30, Content::Nothing, true),
            row(50, words(3, 0), false),
        ],
        marks: vec![Mark { conversation: 1, account: 1, message: 10 }],
    }
}

fn leave_out<T>(list: &mut Vec<T>, index: usize) {
    list.remove(index);
}

#[track_caller]
fn finds(expected: &[Wrong], damage: impl FnOnce(&mut History)) {
    let mut history = sound();
    damage(&mut history);
    let findings = judge(&history);
    let mut found: Vec<Wrong> = findings.iter().map(|finding| finding.wrong).collect();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found, expected, "{findings:#?}");
}

#[test]
fn nothing_is_wrong_with_a_sound_history() {
    finds(&[], |_| {});
}

/// Behind the window an edit shows in the post, and only the last one is told; a deleted message has no content.
#[test]
fn nothing_is_wrong_with_a_compacted_stream() {
    finds(&[], |history| {
        history.streams[1].told = vec![
            posted(10, 0),
            Told { tale: Tale::Posted(words(1, 1)), ..posted(20, 1) },
            Told { tale: Tale::Posted(Content::Nothing), ..posted(30, 2) },
            about(40, 20, Tale::Edited(words(1, 1))),
            posted(50, 3),
            about(60, 30, Tale::Deleted),
            about(70, 10, Tale::Read),
        ];
    });
}

#[test]
fn a_message_that_one_reader_or_the_store_lacks_is_lost() {
    finds(&[Wrong::Lost], |history| leave_out(&mut history.streams[0].told, 4));
    finds(&[Wrong::Lost], |history| leave_out(&mut history.rows, 3));
    finds(&[Wrong::Lost], |history| {
        history.streams.iter_mut().for_each(|stream| leave_out(&mut stream.told, 4));
        history.rows.remove(3);
    });
}

#[test]
fn a_message_that_was_not_acknowledged_but_told_to_some_is_a_gap_for_the_others() {
    let unacknowledged = |history: &mut History| history.senders[0].sent[3].acknowledged = None;
    finds(&[], unacknowledged);
    finds(&[Wrong::Gap], |history| {
        unacknowledged(history);
        history.streams[0].told.remove(4);
    });
    finds(&[Wrong::Gap], |history| {
        unacknowledged(history);
        history.rows.remove(3);
    });
}

#[test]
fn an_event_that_comes_twice_or_late_is_found() {
    finds(&[Wrong::Duplicated], |history| history.streams[0].told.insert(5, posted(50, 3)));
    finds(&[Wrong::Duplicated], |history| history.streams[0].told.push(posted(10, 0)));
    finds(&[Wrong::Reordered], |history| history.streams[0].told.swap(1, 2));
    finds(&[Wrong::Duplicated], |history| history.streams[0].told.insert(4, about(40, 20, Tale::Edited(words(1, 1)))));
}

#[test]
fn a_message_that_stands_twice_is_found() {
    finds(&[Wrong::Duplicated], |history| {
        history.streams.iter_mut().for_each(|stream| stream.told.push(posted(80, 3)));
        history.rows.push(Row { message: 80, ..history.rows[3] });
    });
    finds(&[Wrong::Duplicated, Wrong::Gap], |history| history.rows.push(Row { message: 80, ..history.rows[3] }));
}

#[test]
fn what_nobody_sent_is_a_ghost() {
    let ghosts =
        [Content::Strange, words(4, 0), words(3, 1), Content::Words(Words { writer: 7, number: 0, version: 0 })];
    for content in ghosts {
        finds(&[Wrong::Ghost], |history| {
            history.streams.iter_mut().for_each(|stream| {
                stream.told.push(Told { tale: Tale::Posted(content), ..posted(80, 0) });
            });
            history.rows.push(Row { message: 80, content, ..history.rows[3] });
            if content == words(3, 1) {
                // The message itself stands where it stood before.
                history.streams.iter_mut().for_each(|stream| leave_out(&mut stream.told, 4));
                history.rows.remove(3);
                history.senders[0].sent[3].acknowledged = None;
            }
        });
    }
    finds(&[Wrong::Ghost], |history| history.streams[0].told[0].account = 2);
}

#[test]
fn another_message_in_the_same_place_is_found() {
    finds(&[Wrong::Duplicated, Wrong::Differing], |history| history.streams[0].told[4] = posted(50, 0));
    finds(&[Wrong::Contradicted], |history| {
        history.senders[0].sent.swap(0, 3);
    });
}

#[test]
fn a_client_id_with_two_ids_is_found() {
    finds(&[Wrong::Contradicted], |history| history.senders[0].contradictions.push((3, 80, 0)));
    finds(&[Wrong::Contradicted], |history| {
        let twin = history.senders[0].sent[3];
        history.senders[0].sent.push(twin);
    });
}

#[test]
fn ends_that_differ_are_found() {
    finds(&[Wrong::Differing], |history| leave_out(&mut history.streams[0].told, 3));
    finds(&[Wrong::Differing], |history| leave_out(&mut history.streams[0].told, 5));
    finds(&[Wrong::Differing], |history| leave_out(&mut history.streams[0].told, 6));
    finds(&[Wrong::Differing], |history| history.rows[1].content = words(1, 0));
    finds(&[Wrong::Differing], |history| history.rows[0].is_deleted = true);
    finds(&[Wrong::Differing], |history| history.marks.clear());
    finds(&[Wrong::Differing], |history| history.senders[0].sent[2].is_unwanted = false);
    finds(&[Wrong::Differing], |history| {
        history.senders[0].sent[0].is_deleted = true;
        history.senders[0].sent[0].is_unwanted = true;
    });
}

#[test]
fn a_refusal_that_should_not_be_is_found() {
    finds(&[Wrong::Refused], |history| history.streams[0].refusals.push((0, "nonsense".to_owned())));
}
