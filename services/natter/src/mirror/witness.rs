//! The records that a row of Natter's bears witness of, for when the log does not hold them any more.

use natter_model::event::{Actor, Body, Entry, Event, Origin};
use natter_model::id::{EventId, Position};
use natter_model::timestamp::Timestamp;
use natter_store::fold::Posted;

/// What makes Django's row as this one is: the same as the log would, with what was superseded left out. Of one that
/// Django posted itself, only what may have happened to it in Natter. Nothing of one that is shown nowhere.
pub(super) fn entries(posted: &Posted) -> Vec<Entry> {
    let message = &posted.message;
    if posted.is_resend {
        return Vec::new();
    }
    let post = Body::Posted {
        message: posted.has_given_id().then_some(message.id),
        content: message.content.clone().unwrap_or_default(),
        attachment: message.attachment.clone(),
        client_id: posted.client_id.clone(),
    };
    let changes = [
        (!posted.has_given_id()).then_some((message.timestamp, post)),
        message
            .edited_at
            .map(|at| (at, Body::Edited { message: message.id, content: message.content.clone().unwrap_or_default() })),
        message.read_at.map(|at| (at, Body::Read { message: message.id })),
        message.is_deleted.then_some((message.timestamp, Body::Deleted { message: message.id })),
    ];
    let at_its_end = posted.touched_seq.max(Position::from(message.id));
    changes.into_iter().flatten().map(|(at, body)| entry(posted, at_its_end, at, body)).collect()
}

fn entry(posted: &Posted, touched: Position, at: Timestamp, body: Body) -> Entry {
    let message = &posted.message;
    let is_post = matches!(body, Body::Posted { .. });
    Entry {
        position: if is_post { posted.posted_seq } else { touched },
        previous: Position::START,
        event: Event {
            id: posted.event.unwrap_or(EventId::NIL),
            conversation: message.conversation,
            actor: Actor { id: message.sender, username: message.sender_name.clone() },
            at,
            origin: Origin::Natter,
            body,
        },
    }
}

#[cfg(test)]
mod tests {
    use natter_model::id::{AccountId, ConversationId, MessageId};
    use natter_store::fold::{Row, State};

    use super::*;

    /// What stands in the log, folded.
    fn row(bodies: Vec<Body>) -> Posted {
        let mut row = Row::new(MessageId::new(5).unwrap());
        for (position, body) in (5..).zip(bodies) {
            let event = Event {
                id: EventId::fresh(),
                conversation: ConversationId::new(9).unwrap(),
                actor: Actor { id: AccountId::new(4).unwrap(), username: "ana".to_owned() },
                at: Timestamp::from_micros(position),
                origin: Origin::Natter,
                body,
            };
            let position = Position::new(position.unsigned_abs());
            row.apply(&Entry { position, previous: Position::START, event }).unwrap();
        }
        let State::Posted(posted) = row.state else { panic!("it was posted") };
        *posted
    }

    fn posted() -> Body {
        Body::Posted { message: None, content: "said".to_owned(), attachment: None, client_id: Some("a".to_owned()) }
    }

    /// Folding what a row bears witness of gives that row.
    #[test]
    fn the_witness_tells_the_whole_row() {
        let message = MessageId::new(5).unwrap();
        let edited = || Body::Edited { message, content: "edited".to_owned() };
        for bodies in [
            vec![posted()],
            vec![posted(), edited(), Body::Read { message }],
            vec![posted(), edited(), Body::Deleted { message }],
        ] {
            let told = row(bodies);
            let mut again = Row::new(message);
            for entry in entries(&told) {
                again.apply(&entry).unwrap();
            }
            assert_eq!(again.posted().unwrap().message, told.message);
        }
        assert!(entries(&Posted { is_resend: true, ..row(vec![posted()]) }).is_empty());
    }
}
