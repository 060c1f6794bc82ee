//! What is different in the dialect of the later commits: lists in pages with the newest first, and profiles.
//!
//! An account has one profile here, under the account's own id, so that nothing else has to know of profiles. What each
//! answer holds beyond the specification of the public chat is decided here, and said where it is.

pub(super) mod conversations;
pub(super) mod profiles;
