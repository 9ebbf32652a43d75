//! The schedule: what may be installed when, and where not.

pub mod calendar;
pub mod list;
