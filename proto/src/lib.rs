//! The messages that services exchange and the log keeps, and their translation to and from the model.

pub mod record;

/// Generated from `natter/v1/*.proto`.
#[allow(missing_docs, clippy::all, unreachable_pub, unused_qualifications)]
pub mod v1 {
    tonic::include_proto!("natter.v1");
}
