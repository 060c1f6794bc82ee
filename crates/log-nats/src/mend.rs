//! Putting back what the stream has lost: publishing with the sequence that has to come out.

use async_nats::jetstream::context::{PublishAckFuture, PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;
use natter_log::mend::Substitute;
use natter_log::port::LogError;
use natter_model::id::Position;

use crate::layout::{FILLERS, STREAM, events_of};
use crate::link::{Link, QUEUE};

/// Records under way at a time.
const BATCH: usize = QUEUE / 4;

/// See [`natter_log::mend::Mend::put_back`].
pub(crate) async fn put_back(link: &Link, last: Position, substitutes: &[Substitute]) -> Result<Vec<bool>, LogError> {
    let mut stand = Vec::with_capacity(substitutes.len());
    for batch in substitutes.chunks(BATCH) {
        link.up_soon().await?;
        let wanted = last.get() + stand.len() as u64;
        // In order on one line. One that fails does not move those behind it: they insist on their places too.
        let mut sent = Vec::with_capacity(batch.len());
        for (substitute, last) in batch.iter().zip(wanted..) {
            sent.push(publish(link, substitute, last, Id::Told).await.map_err(|error| unavailable(&error))?);
        }
        for (ack, (substitute, last)) in sent.into_iter().zip(batch.iter().zip(wanted..)) {
            let mut ack = ack.await;
            // It stands elsewhere too, so those behind it have found the end where it should not have been.
            if ack.as_ref().is_ok_and(|ack| ack.duplicate) {
                let sent = publish(link, substitute, last, Id::Withheld).await.map_err(|error| unavailable(&error))?;
                ack = sent.await;
            }
            stand.push(match ack {
                Ok(ack) => !ack.duplicate && ack.sequence == last + 1,
                Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => false,
                Err(error) => return Err(unavailable(&error)),
            });
        }
    }
    Ok(stand)
}

/// Whether the stream is told the event's id, by which it knows a duplicate.
enum Id {
    Told,
    Withheld,
}

async fn publish(link: &Link, substitute: &Substitute, last: u64, id: Id) -> Result<PublishAckFuture, PublishError> {
    let record = Bytes::from(substitute.encode());
    let message = PublishMessage::build().payload(record).expected_stream(STREAM).expected_last_sequence(last);
    let (subject, message) = match (substitute, id) {
        (Substitute::Event(event), Id::Told) => {
            (events_of(event.conversation), message.message_id(event.id.to_string()))
        }
        (Substitute::Event(event), Id::Withheld) => (events_of(event.conversation), message),
        (Substitute::Filler, _) => (FILLERS.to_owned(), message),
    };
    link.context.send_publish(subject, message).await
}

fn unavailable(error: &PublishError) -> LogError {
    LogError::Unavailable(error.to_string())
}
