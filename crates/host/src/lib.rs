//! What every program needs around its service: settings, telemetry, a beginning, probes, and an end.

pub mod addresses;
pub mod backoff;
pub mod calls;
pub mod cli;
pub mod exit;
pub mod grpc;
pub mod lifecycle;
pub mod limits;
pub mod listen;
pub mod metrics;
pub mod ops;
pub mod peer;
pub mod probe;
pub mod readiness;
pub mod request_id;
pub mod secret;
pub mod settings;
pub mod telemetry;
pub mod traces;
