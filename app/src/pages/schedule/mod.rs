//! The schedule: what may be installed when, and where not.

pub mod calendar;
pub mod form;
pub mod list;
mod profile;
pub mod remove;
mod window;
mod words;
