//! The schedule: what may be installed when, and where not.

pub mod calendar;
pub mod form;
mod inputs;
pub mod list;
mod look;
mod profile;
pub mod remove;
mod window;
mod words;
