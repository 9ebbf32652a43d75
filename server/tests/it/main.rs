//! The server from outside: every route for every principal, hostile requests, and the real binary on bad days.
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
