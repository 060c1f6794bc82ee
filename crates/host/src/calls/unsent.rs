//! What a failure says of the call: whether any server can have had it.

use std::error::Error;
use std::iter::successors;

use h2::Reason;
use tonic::{ConnectError, TimeoutExpired};

/// Why no server has had the call, nor will: it may be sent again, whatever it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsent {
    /// There is no way to the address.
    NoConnection,
    /// The connection ended before it was the call's turn; the address may well be good for another one.
    NoTurn,
}

impl Unsent {
    /// `None`: a server may have had it.
    pub(super) fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        causes(error).find_map(|cause| {
            let has_waited = || cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled);
            let is_refused = || cause.downcast_ref::<h2::Error>().is_some_and(is_refused);
            if cause.is::<ConnectError>() {
                Some(Self::NoConnection)
            } else if has_waited() || is_refused() {
                Some(Self::NoTurn)
            } else {
                None
            }
        })
    }
}

/// There was no answer in time.
pub(super) fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| cause.is::<TimeoutExpired>())
}

/// HTTP/2 promises of both that the server did nothing with it: a stream that it refused, and one that came after those
/// that a server which ends the connection still serves (RFC 9113, 8.7).
fn is_refused(error: &h2::Error) -> bool {
    let has_left = error.is_go_away() && error.reason() == Some(Reason::NO_ERROR);
    let has_refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
    error.is_remote() && (has_left || has_refused)
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    successors(Some(error), |&error| error.source())
}
