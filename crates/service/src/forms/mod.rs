//! What people fill in, as what the planner is told, and back.

pub mod rings;
pub mod schedule;
