//! The server from outside: every route for every principal, hostile requests, and the real binary on bad days.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]
#![recursion_limit = "256"]

mod agent_api;
mod browser_rules;
mod counts;
mod explain;
mod forms;
mod hostile_names;
mod live;
mod matrix;
mod openapi;
mod process;
mod status_view;
mod statuses;
mod world;
