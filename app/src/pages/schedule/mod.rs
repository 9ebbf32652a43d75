//! The schedule: what may be installed when, and where not.

pub mod calendar;
pub mod form;
pub mod inputs;
pub mod list;
pub mod look;
mod profile;
pub mod remove;
mod window;
pub mod words;
