//! A request's body as it arrives: piece by piece, bounded, and not waited for for ever.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use futures_util::{Stream, StreamExt as _, stream};
use tokio::time::{self, Instant};

use super::answer::Refusal;

/// How long the next piece may take.
const MAX_SILENCE: Duration = Duration::from_secs(30);

/// What has to come on the average, in bytes per second, besides one silence: a slow mobile line brings more.
const MIN_PACE: u64 = 4096;

/// Why a body could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// It is larger than this many bytes.
    #[error("the body has more than {0} bytes")]
    TooLarge(u64),
    /// The client went silent.
    #[error("the next piece of the body did not come in time")]
    Silent,
    /// The connection broke.
    #[error("the body cannot be read")]
    Broken(#[source] axum::Error),
}

/// The pieces of a body of at most `limit` bytes.
pub(crate) fn pieces(body: Body, limit: u64) -> impl Stream<Item = Result<Bytes, BodyError>> + Send + 'static {
    let begun = Instant::now();
    stream::unfold((body.into_data_stream(), 0), move |(mut body, so_far)| async move {
        // multer reads on for as long as there is something to read at once, and so would hold a whole file in memory.
        tokio::task::yield_now().await;
        let piece = match in_time(begun, so_far, body.next()).await {
            Ok(piece) => piece?.map_err(BodyError::Broken),
            Err(silent) => Err(silent),
        };
        let so_far = so_far + piece.as_ref().map_or(0, |piece| piece.len() as u64);
        let piece = if so_far > limit { Err(BodyError::TooLarge(limit)) } else { piece };
        Some((piece, (body, so_far)))
    })
}

/// All of a body of at most `limit` bytes.
pub(crate) async fn all(body: Body, limit: u64) -> Result<Vec<u8>, BodyError> {
    let mut pieces = std::pin::pin!(pieces(body, limit));
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.next().await {
        bytes.extend_from_slice(&piece?);
    }
    Ok(bytes)
}

impl BodyError {
    /// The one that an error of a reader further up stems from, if it does.
    pub(crate) fn behind<'a>(mut error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        loop {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            error = error.source()?;
        }
    }

    /// What the client is told.
    pub(crate) fn refusal(&self) -> Refusal {
        match self {
            Self::TooLarge(limit) => too_large(*limit),
            Self::Silent => Refusal::detail(
                StatusCode::REQUEST_TIMEOUT,
                "The request body did not arrive in time, please try again.",
            ),
            Self::Broken(_) => Refusal::detail(StatusCode::BAD_REQUEST, "The request body could not be read."),
        }
    }
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        error.refusal()
    }
}

/// 413 for a body, or a file in it, of more than `limit` bytes.
pub(crate) fn too_large(limit: u64) -> Refusal {
    Refusal::detail(StatusCode::PAYLOAD_TOO_LARGE, format!("The request is too large (at most {limit} bytes)."))
}

async fn in_time<T>(begun: Instant, so_far: u64, next: impl Future<Output = T>) -> Result<T, BodyError> {
    let latest = begun + MAX_SILENCE + Duration::from_secs(so_far / MIN_PACE);
    let deadline = latest.min(Instant::now() + MAX_SILENCE);
    time::timeout_at(deadline, next).await.map_err(|_| BodyError::Silent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit() {
        assert_eq!(all(Body::from("12345"), 5).await.expect("five bytes"), b"12345");
        assert!(matches!(all(Body::from("123456"), 5).await, Err(BodyError::TooLarge(5))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_goes_silent_is_not_waited_for() {
        let endless = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        assert!(matches!(all(endless, 5).await, Err(BodyError::Silent)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_drips_is_not_waited_for_either() {
        let begun = Instant::now();
        let drops = stream::unfold((), async |()| {
            time::sleep(MAX_SILENCE / 2).await;
            Some((Ok::<_, std::io::Error>("x"), ()))
        });
        assert!(matches!(all(Body::from_stream(drops), 1 << 20).await, Err(BodyError::Silent)));
        assert_eq!(begun.elapsed(), MAX_SILENCE);
    }
}
