//! The words of the domain: ids, positions, events, and the text rules they obey. No IO.

pub mod event;
pub mod id;
pub mod text;
pub mod timestamp;
