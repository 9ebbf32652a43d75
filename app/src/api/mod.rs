//! Server functions: a name, who asks, one call, a way back. Every right and every field is checked again in the service.

#![expect(
    missing_docs,
    reason = "the macro makes a struct of every function's arguments; the functions are documented"
)]

pub mod accounts;
pub mod audit;
pub mod devices;
pub mod forms;
pub mod patches;
pub mod rings;
pub mod schedule;
pub mod session;
