//! The backlog: delivery, acknowledgement, redelivery, the floor.

use std::collections::BTreeSet;

use futures_util::FutureExt;
use natter_model::id::Position;

use super::Subject;
use super::fixtures::{GARBAGE, conversation, positions_of, say, within};
use crate::port::{Consumer, Delivery};

async fn consumer(subject: &impl Subject) -> Box<dyn Consumer> {
    within(subject.backlog().consume()).await.expect("there is a backlog")
}

async fn floor(subject: &impl Subject) -> Position {
    subject.backlog().floor().await.expect("the log answers")
}

/// What the consumer gets until it has `n`.
async fn take(consumer: &mut Box<dyn Consumer>, n: usize) -> Vec<Position> {
    let mut positions = Vec::new();
    while positions.len() < n {
        let limit = n - positions.len();
        let deliveries = within(consumer.next(limit)).await.expect("it delivers");
        assert!((1..=limit).contains(&deliveries.len()), "{} records, {limit} asked for", deliveries.len());
        positions.extend(positions_of(&deliveries));
    }
    positions
}

/// The records of all conversations come in the order of the log.
pub async fn delivers_in_order_and_no_more_than_asked_for(subject: &impl Subject) {
    let mut said = say(subject, conversation(1), 2).await;
    said.extend(say(subject, conversation(2), 2).await);
    said.extend(say(subject, conversation(1), 1).await);
    let mut consumer = consumer(subject).await;
    let mut delivered = Vec::new();
    while delivered.len() < said.len() {
        let deliveries = within(consumer.next(2)).await.expect("it delivers");
        assert!((1..=2).contains(&deliveries.len()));
        delivered.extend(deliveries);
    }
    for (delivery, said) in delivered.iter().zip(&said) {
        let Delivery::Entry(entry, _) = delivery else { panic!("{delivery:?}") };
        assert_eq!((entry.position, &entry.event), (said.position, &said.event));
    }
}

/// A consumer that is there first gets what comes later.
pub async fn waits_for_records(subject: &impl Subject) {
    let mut consumer = consumer(subject).await;
    let (delivered, said) = tokio::join!(take(&mut consumer, 1), say(subject, conversation(1), 1));
    assert_eq!(delivered, [said[0].position]);
}

/// Acknowledging in any order moves the floor as far as there is no gap.
pub async fn the_floor_is_what_is_acknowledged_without_a_gap(subject: &impl Subject) {
    let mut consumer = consumer(subject).await;
    assert_eq!(floor(subject).await, Position::START);
    say(subject, conversation(1), 4).await;
    let positions = take(&mut consumer, 4).await;
    assert_eq!(floor(subject).await, Position::START);
    consumer.acknowledge(&positions[1..3]).await.expect("they are acknowledged");
    assert_eq!(floor(subject).await, Position::START);
    consumer.acknowledge(&positions[..1]).await.expect("it is acknowledged");
    assert_eq!(floor(subject).await, positions[2]);
    consumer.acknowledge(&positions[3..]).await.expect("it is acknowledged");
    assert_eq!(floor(subject).await, positions[3]);
}

/// Neither this nor another consumer sees what has been acknowledged.
pub async fn what_is_acknowledged_does_not_come_again(subject: &impl Subject) {
    let mut first = consumer(subject).await;
    say(subject, conversation(1), 3).await;
    let positions = take(&mut first, 3).await;
    first.acknowledge(&positions).await.expect("they are acknowledged");
    drop(first);
    let said = say(subject, conversation(1), 1).await;
    let mut second = consumer(subject).await;
    assert_eq!(take(&mut second, 1).await, [said[0].position]);
}

/// What is handed back comes again, and only that.
pub async fn what_is_handed_back_comes_again(subject: &impl Subject) {
    let mut consumer = consumer(subject).await;
    say(subject, conversation(1), 3).await;
    let positions = take(&mut consumer, 3).await;
    consumer.acknowledge(&[positions[0], positions[2]]).await.expect("they are acknowledged");
    consumer.hand_back(&positions[1..2]).await.expect("it is handed back");
    assert_eq!(take(&mut consumer, 1).await, positions[1..2]);
    consumer.acknowledge(&positions[1..2]).await.expect("it is acknowledged");
    assert_eq!(floor(subject).await, positions[2]);
}

/// A consumer that ends without a word leaves its records to the others.
pub async fn what_a_dropped_consumer_held_comes_again(subject: &impl Subject) {
    let mut first = consumer(subject).await;
    let mut second = consumer(subject).await;
    say(subject, conversation(1), 3).await;
    let positions = take(&mut first, 3).await;
    first.acknowledge(&positions[1..2]).await.expect("it is acknowledged");
    drop(first);
    assert_eq!(take(&mut second, 2).await, [positions[0], positions[2]]);
    second.acknowledge(&[positions[0], positions[2]]).await.expect("they are acknowledged");
    assert_eq!(floor(subject).await, positions[2]);
}

/// A consumer that stopped waiting for records has not taken any with it.
pub async fn waiting_may_be_given_up(subject: &impl Subject) {
    let mut consumer = consumer(subject).await;
    let given_up = consumer.next(5).now_or_never();
    assert!(given_up.is_none(), "there is nothing yet");
    let said = say(subject, conversation(1), 2).await;
    let given_up = consumer.next(1).now_or_never();
    let already = given_up.map(|deliveries| positions_of(&deliveries.expect("it delivers"))).unwrap_or_default();
    let rest = take(&mut consumer, 2 - already.len()).await;
    let delivered: BTreeSet<_> = already.into_iter().chain(rest).collect();
    assert_eq!(delivered, said.iter().map(|entry| entry.position).collect());
}

/// Each record goes to one of the consumers.
pub async fn consumers_share_the_records(subject: &impl Subject) {
    let (mut first, mut second) = (consumer(subject).await, consumer(subject).await);
    let said = say(subject, conversation(1), 20).await;
    let (in_first, in_second) = tokio::join!(take(&mut first, 10), take(&mut second, 10));
    let all: BTreeSet<_> = in_first.iter().chain(&in_second).copied().collect();
    assert_eq!(all, said.iter().map(|entry| entry.position).collect());
    first.acknowledge(&in_first).await.expect("they are acknowledged");
    second.acknowledge(&in_second).await.expect("they are acknowledged");
    assert_eq!(floor(subject).await, said[19].position);
}

/// What is no event is delivered all the same, so that it can be put aside.
pub async fn delivers_what_is_no_event_as_unreadable(subject: &impl Subject) {
    let mut consumer = consumer(subject).await;
    let unreadable = subject.append_raw(conversation(1), GARBAGE).await;
    let deliveries = within(consumer.next(9)).await.expect("it delivers");
    let [Delivery::Unreadable { position, bytes, reason }] = deliveries.as_slice() else { panic!("{deliveries:?}") };
    assert_eq!((*position, bytes.as_ref()), (unreadable, GARBAGE));
    assert!(!reason.is_empty());
    consumer.acknowledge(&[unreadable]).await.expect("it is acknowledged");
    assert_eq!(floor(subject).await, unreadable);
}
