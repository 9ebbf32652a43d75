//! Rings: how a patch goes through the fleet, and everything that decides how fast.

pub mod form;
pub mod list;
pub mod step;
pub mod words;
