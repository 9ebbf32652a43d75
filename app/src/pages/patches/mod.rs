//! Patches: the status view, the step before a decision, one patch.

pub mod decide;
mod filters;
pub mod list;
pub mod one;
mod rollback_plan;
mod rollout;
mod table;
