//! Seeded simulation: the real service on a real database, the agent's real state machine on many devices, and everything around them
//! made up: time, network, package managers, people, faults. One seed gives one history, whatever the machine.
//!
//! `world` moves time and carries messages, `agent` does what the agent's driver does, `computer` is what an agent looks at and changes,
//! `people` decide, `oracle` keeps its own books and says which invariant of `docs/invariants.md` a step broke.
//!
//! This crate may not read the wall clock (only `main` does, to say how long a run took), start threads, or use randomness that is not
//! made from the seed.

mod again;
pub mod agent;
pub mod archive;
mod calls;
pub mod chance;
pub mod computer;
pub mod journal;
mod mishaps;
pub mod network;
pub mod oracle;
pub mod people;
mod plans;
pub mod queue;
pub mod server;
pub mod settle;
pub mod trace;
pub mod world;

pub use oracle::Violation;
pub use world::{Outcome, Plan, run};
