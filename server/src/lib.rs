//! The patchward server: pages, agent API, command line.
//!
//! May not: know SQL, or decide anything about patches (it asks `service`).
#![recursion_limit = "256"]

pub mod assets;
pub mod cli;
pub mod demo;
pub mod health;
pub mod http;
pub mod live;
pub mod metrics;
pub mod pages;
pub mod security;
pub mod state;

pub use http::router;
pub use state::{AppState, Reach, Stop};
