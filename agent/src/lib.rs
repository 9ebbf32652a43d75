//! patchward-agent: scans a device, installs exactly the permitted versions, proves the result by looking, and can go back.
//!
//! `machine` decides (pure: no I/O, no clock, no randomness), `driver` acts. The server chooses among package versions and never
//! supplies code: nothing here runs a shell, and no text from the server reaches a command line unless it fits the package grammar.
//! This crate may not use the planner or the service.

pub mod cli;
pub mod command;
pub mod config;
pub mod courier;
pub mod device;
pub mod driver;
pub mod enroll;
pub mod files;
pub mod identity;
pub mod installer;
pub mod inventory;
pub mod journal;
pub mod machine;
pub mod restart;
pub mod transport;
