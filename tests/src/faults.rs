//! The checker: the whole system under faults, clients that behave like real ones, and a judge over what they saw.

pub mod board;
pub mod crowd;
pub mod disk;
pub mod history;
pub mod inject;
pub mod judge;
pub mod kind;
pub mod line;
pub mod outbox;
pub mod participant;
pub mod report;
pub mod run;
pub mod sabotage;
pub mod schedule;
pub mod system;
