//! Making the stream.

use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::{ErrorCode, stream};
use natter_host::backoff::Backoff;
use tokio::time::Instant;

use crate::api::{ApiError, ask};
use crate::layout::STREAM;

/// So long it is tried again where the server could not make its files.
const PATIENCE: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Makes the stream, also where one of its name was there a moment ago: the server takes that one's folders away after it
/// has said that it is deleted, and with them the one that it is just making.
pub(crate) async fn create(client: &Client, config: &stream::Config) -> Result<(), ApiError> {
    let deadline = Instant::now() + PATIENCE;
    let mut backoff = Backoff::between(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        match ask::<stream::Info>(client, format!("STREAM.CREATE.{STREAM}"), config).await {
            Err(error) if error.is(ErrorCode::STREAM_CREATE) && Instant::now() < deadline => backoff.wait().await,
            made => return made.map(drop),
        }
    }
}
