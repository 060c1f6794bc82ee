//! The harness: the real programs as a person starts them, clients that read like a story, and fixtures.
//!
//! Everything that is started here listens on a free port, keeps its files in a temporary folder and ends with the
//! value that stands for it, also when a test panics or its process dies.

pub mod client;
pub mod collector;
pub mod deployment;
pub mod django;
pub mod faults;
pub mod fixture;
pub mod fleet;
pub mod frame;
pub mod guide;
pub mod issuer;
pub mod metrics;
pub mod moving;
pub mod ports;
pub mod process;
pub mod programs;
pub mod proxy;
pub mod record;
pub mod rest;
pub mod servers;
pub mod service;
pub mod socket;
pub mod stack;
pub mod terminal;
pub mod vectors;
pub mod wait;

/// One story, told on both shapes: two tests, `<name>::local` and `<name>::real`.
///
/// The story gets a [`Shape`](stack::Shape) and starts the stack it needs from it.
#[macro_export]
macro_rules! story {
    ($(#[$doc:meta])* async fn $name:ident($shape:ident: $kind:ty) $body:block) => {
        $(#[$doc])*
        mod $name {
            use super::*;

            async fn story($shape: $kind) $body

            #[tokio::test]
            async fn local() {
                story($crate::stack::Shape::Local).await;
            }

            #[tokio::test]
            async fn real() {
                story($crate::stack::Shape::Real).await;
            }
        }
    };
}
