//! The conversations' log as a port, the embedded log, and the contract that every log keeps.

#[cfg(any(test, feature = "contract"))]
pub mod contract;
pub mod embedded;
pub mod mend;
pub mod port;
