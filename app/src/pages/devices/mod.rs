//! Devices: the list, one device with its gate ladders.

pub mod acts;
mod facts;
pub mod list;
pub mod one;
